"""The official MovieLens layouts, on tiny hand-made releases and on the real ones."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from yoorec.data.sources.config import MovieLensConfig
from yoorec.data.sources.movielens import MovieLensSource
from yoorec.data.tables import Tables
from yoorec.errors import DataError

FLAGS = "0|0|1|0|0|1|0|0|0|0|0|0|0|0|0|0|0|0|0"
LAYOUTS = {
    "100k": {
        "ml-100k/u.data": b"1\t10\t5\t900\n2\t10\t1\t800\n",
        "ml-100k/u.item": f"10|Caf\xe9 au Lait (1994)|01-Jan-1994||http://x|{FLAGS}\n".encode("latin-1")
        + f"11|Alone|||http://y|1{'|0' * 18}\n".encode(),
        "ml-100k/u.user": b"1|24|M|technician|85711\n2|60|F|other|T8H1N\n",
    },
    "1m": {
        "ml-1m/ratings.dat": b"1::10::5::900\n2::10::1::800\n",
        "ml-1m/movies.dat": "10::Caf\xe9 au Lait (1994)::Adventure|Comedy\n11::Alone::Drama\n".encode("latin-1"),
        "ml-1m/users.dat": b"1::M::18::17::85711\n2::F::56::0::02460-1\n",
    },
    "10m": {
        "ml-10M100K/ratings.dat": b"1::10::5::900\n2::10::0.5::800\n",
        "ml-10M100K/movies.dat": (
            '10::Caf\xe9 au Lait (1994)::Adventure|Comedy\n11::"Alone"::(no genres listed)\n'
        ).encode(),
        "ml-10M100K/tags.dat": b"1::10::dark::5\n2::10::Dark::6\n2::10::slow::7\n",
    },
    "latest": {
        "ml/ratings.csv": b"userId,movieId,rating,timestamp\n1,10,5.0,900\n2,10,0.5,800\n",
        "ml/movies.csv": 'movieId,title,genres\n10,"Caf\xe9 au Lait (1994)",Adventure|Comedy\n'
        "11,Alone,(no genres listed)\n".encode(),
        "ml/tags.csv": b"userId,movieId,tag,timestamp\n1,10,dark,5\n2,10,Dark,6\n2,10,slow,7\n",
    },
}


def release(folder: Path, layout: str, zipped: bool = True) -> Path:
    path = folder / (f"{layout}.zip" if zipped else layout)
    if zipped:
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as out:
            for name, content in LAYOUTS[layout].items():
                out.writestr(name, content)
    else:
        for name, content in LAYOUTS[layout].items():
            (path / name).parent.mkdir(parents=True, exist_ok=True)
            (path / name).write_bytes(content)
    return path


def read(path: Path, rating_at_least: float | None = None, user_tags: bool = False, max_bad: float = 0.01) -> Tables:
    return MovieLensSource(MovieLensConfig(path, rating_at_least, user_tags, max_bad)).read()


@pytest.mark.parametrize("zipped", [True, False], ids=["zip", "folder"])
@pytest.mark.parametrize("layout", list(LAYOUTS))
def test_each_layout_gives_the_same_events_and_titles(tmp_path: Path, layout: str, zipped: bool) -> None:
    tables = read(release(tmp_path, layout, zipped))
    assert tables.events.to_pydict() == {
        "user_id": ["1", "2"],
        "item_id": ["10", "10"],
        "time": [900_000, 800_000],
        "event": ["play", "play"],
    }
    items = tables.items.to_pydict()
    assert items["item_id"] == ["10", "11"]
    assert items["title"] == ["Café au Lait", '"Alone"' if layout == "10m" else "Alone"]
    assert items["year"] == [1994, None]
    assert items["tags"] == [["Adventure", "Comedy"], ["Drama"] if layout == "1m" else []]
    assert items["category"] == ["Adventure", "Drama" if layout == "1m" else None]
    assert all(quality.bad == 0 for quality in tables.quality.values())


def test_users_of_100k_and_1m(tmp_path: Path) -> None:
    assert read(release(tmp_path, "100k")).users.to_pydict() == {
        "user_id": ["1", "2"],
        "gender": ["M", "F"],
        "age_band": ["18-24", "56+"],
        "occupation": ["technician", "other"],
        "zip": ["85711", "T8H1N"],
        "age": [24, 60],
    }
    assert read(release(tmp_path, "1m")).users.to_pydict() == {
        "user_id": ["1", "2"],
        "gender": ["M", "F"],
        "age_band": ["18-24", "56+"],
        "occupation": ["technician/engineer", "other"],
        "zip": ["85711", "02460-1"],
    }
    assert read(release(tmp_path, "latest")).users.to_pydict() == {"user_id": []}


def test_low_ratings_become_events_of_their_own(tmp_path: Path) -> None:
    for layout in LAYOUTS:
        assert read(release(tmp_path, layout), 4).events["event"].to_pylist() == ["play", "rating"]


@pytest.mark.parametrize("layout", ["10m", "latest"])
def test_user_tags_come_most_given_first(tmp_path: Path, layout: str) -> None:
    items = read(release(tmp_path, layout), user_tags=True).items
    assert items["user_tags"].to_pylist() == [["dark", "slow"], []]


def test_user_tags_that_are_not_there(tmp_path: Path) -> None:
    path = release(tmp_path, "100k")
    with pytest.raises(DataError) as caught:
        read(path, user_tags=True)
    assert str(caught.value) == f"{path}: user_tags needs tags.csv, which is not there"


def test_files_make_the_fingerprint(tmp_path: Path) -> None:
    path = release(tmp_path, "1m")
    assert MovieLensSource(MovieLensConfig(path)).files() == [path]
    folder = release(tmp_path, "1m", zipped=False)
    names = [file.name for file in MovieLensSource(MovieLensConfig(folder)).files()]
    assert names == ["ratings.dat", "movies.dat", "users.dat"]


def test_a_bad_rating_is_named_by_archive_member_and_line(tmp_path: Path) -> None:
    path = tmp_path / "bad.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("ratings.dat", b"1::10::5::900\n2::10::x::800\n3::::1::1\n4::10\n")
        out.writestr("movies.dat", b"10::A (1994)::Drama\n")
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == (
        "events: 3 of 4 rows can't be used, 75.00%; max_bad allows 1.00%\n"
        f"  {path}/ratings.dat: row 2: rating: 'x' is no number\n"
        f"  {path}/ratings.dat: row 3: movieId: '' is missing\n"
        f"  {path}/ratings.dat: row 4: line: '4::10' has fewer than 4 columns"
    )
    examples = read(path, max_bad=0.8).quality["events"].examples
    assert str(examples[0]) == f"{path}/ratings.dat: row 2: rating: 'x' is no number"


def test_what_is_no_release(tmp_path: Path) -> None:
    path = tmp_path / "x.zip"
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("a/readme", b"")
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == (
        f"{path}: no MovieLens layout: none of u.data, ratings.dat, ratings.csv; there is: readme"
    )
    with zipfile.ZipFile(path, "w") as out:
        out.writestr("a/ratings.csv", b"")
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: ratings.csv is there and movies.csv is not"
    with pytest.raises(DataError) as caught:
        read(tmp_path / "y.zip")
    assert str(caught.value) == f"{tmp_path / 'y.zip'}: there is no such file; nearest: x.zip"


def test_the_real_million(real: Callable[[str], Path]) -> None:
    tables = read(real("movielens_1m/ml-1m.zip"))
    assert (tables.events.num_rows, tables.users.num_rows, tables.items.num_rows) == (1_000_209, 6_040, 3_883)
    assert {name: quality.bad for name, quality in tables.quality.items()} == {"events": 0, "items": 0, "users": 0}
    titles = dict(zip(tables.items["item_id"].to_pylist(), tables.items["title"].to_pylist(), strict=True))
    assert titles["73"] == "Misérables, Les"
    assert tables.items["year"].null_count == 0
    with zipfile.ZipFile(real("movielens_1m/ml-1m.zip")) as opened:
        lines = opened.read("ml-1m/ratings.dat").decode().splitlines()
    time = np.asarray(tables.events["time"])
    assert np.array_equal(time, [int(line.rpartition("::")[2]) * 1000 for line in lines])
    assert tables.events["user_id"].to_pylist() == [line.partition("::")[0] for line in lines]
    assert set(tables.users["gender"].to_pylist()) == {"F", "M"}
    assert len(set(tables.users["age_band"].to_pylist())) == 7


def test_the_real_100k(real: Callable[[str], Path]) -> None:
    tables = read(real("movielens_100k/ml-100k.zip"))
    assert (tables.events.num_rows, tables.users.num_rows, tables.items.num_rows) == (100_000, 943, 1_682)
    assert tables.items.slice(0, 1).to_pylist() == [
        {
            "item_id": "1",
            "title": "Toy Story",
            "year": 1995,
            "tags": ["Animation", "Children's", "Comedy"],
            "category": "Animation",
        }
    ]


def test_the_real_latest_small(real: Callable[[str], Path]) -> None:
    tables = read(real("movielens_latest_small/ml-latest-small.zip"), user_tags=True)
    assert (tables.events.num_rows, tables.items.num_rows) == (100_004, 9_125)
    assert tables.items["user_tags"].to_pylist()[0] == ["pixar"]
