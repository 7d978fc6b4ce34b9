"""Source `movielens`: the official layouts of the MovieLens releases, zipped or unpacked.

Harper & Konstan, "The MovieLens Datasets: History and Context", ACM TiiS 5(4), 2015, doi 10.1145/2827872.
"""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from yoorec.data.columns import Column
from yoorec.data.files import Archive
from yoorec.data.formats import CsvFormat
from yoorec.data.reading import read_table
from yoorec.data.sources.config import MovieLensConfig
from yoorec.data.tables import Quality, Tables
from yoorec.errors import DataError

__all__ = ["MovieLensSource"]

_GENRES_100K = (
    "unknown",
    "Action",
    "Adventure",
    "Animation",
    "Children's",
    "Comedy",
    "Crime",
    "Documentary",
    "Drama",
    "Fantasy",
    "Film-Noir",
    "Horror",
    "Musical",
    "Mystery",
    "Romance",
    "Sci-Fi",
    "Thriller",
    "War",
    "Western",
)

_AGE_FROM = np.array([18, 25, 35, 45, 50, 56])
_AGE_BANDS = ("under 18", "18-24", "25-34", "35-44", "45-49", "50-55", "56+")

_OCCUPATIONS_1M = (
    "other",
    "academic/educator",
    "artist",
    "clerical/admin",
    "college/grad student",
    "customer service",
    "doctor/health care",
    "executive/managerial",
    "farmer",
    "homemaker",
    "K-12 student",
    "lawyer",
    "programmer",
    "retired",
    "sales/marketing",
    "scientist",
    "self-employed",
    "technician/engineer",
    "tradesman/craftsman",
    "unemployed",
    "writer",
)


@dataclass(frozen=True, slots=True)
class _Layout:
    """One way the releases are laid out: member names, how their text is written, and their columns in order."""

    name: str
    ratings: str
    movies: str
    users: str
    tags: str
    ratings_csv: CsvFormat
    movies_csv: CsvFormat
    users_csv: CsvFormat
    tags_csv: CsvFormat


def _plain(delimiter: str, encoding: str, names: str) -> CsvFormat:
    return CsvFormat(delimiter, "", encoding, tuple(names.split()))


_100K = _Layout(
    "100K",
    "u.data",
    "u.item",
    "u.user",
    "",
    _plain("\t", "latin-1", "userId movieId rating timestamp"),
    CsvFormat("|", "", "latin-1", ("movieId", "title", "released", "video", "imdb", *_GENRES_100K)),
    _plain("|", "latin-1", "userId age gender occupation zip"),
    CsvFormat(),
)
_DAT = _Layout(
    "1M or 10M",
    "ratings.dat",
    "movies.dat",
    "users.dat",
    "tags.dat",
    _plain("::", "utf-8", "userId movieId rating timestamp"),
    _plain("::", "utf-8", "movieId title genres"),
    _plain("::", "utf-8", "userId gender age occupation zip"),
    _plain("::", "utf-8", "userId movieId tag timestamp"),
)
_CSV = _Layout(
    "latest or 25M",
    "ratings.csv",
    "movies.csv",
    "",
    "tags.csv",
    CsvFormat(),
    CsvFormat(),
    CsvFormat(),
    CsvFormat(),
)


class MovieLensSource:
    """Ratings as plays, movies as items, and users where the release describes them."""

    def __init__(self, config: MovieLensConfig) -> None:
        self._config = config
        self._archive = Archive(config.path)
        for layout in (_100K, _DAT, _CSV):
            if layout.ratings in self._archive:
                self._layout = layout
                break
        else:
            raise DataError(
                f"{config.path}: no MovieLens layout: none of u.data, ratings.dat, ratings.csv; "
                f"there is: {', '.join(self._archive.names()) or 'nothing'}"
            )
        if self._layout.movies not in self._archive:
            raise DataError(f"{config.path}: {self._layout.ratings} is there and {self._layout.movies} is not")

    def files(self) -> Sequence[Path]:
        """The zip, or the files of the folder that are read."""
        path = self._config.path
        if path.is_file():
            return [path]
        wanted = (self._layout.ratings, self._layout.movies, self._layout.users, self._layout.tags)
        return [self._archive.take(name, path) for name in wanted if name and name in self._archive]

    def read(self) -> Tables:
        """The tables. Raises DataError naming file, row, column and value."""
        with tempfile.TemporaryDirectory(prefix="yoorec-") as scratch:
            folder = Path(scratch)
            quality: dict[str, Quality] = {}
            events, quality["events"] = self._events(folder)
            items, quality["items"] = self._items(folder)
            users = pa.table({"user_id": pa.array([], pa.string())})
            if self._layout.users and self._layout.users in self._archive:
                users, quality["users"] = self._users(folder)
        shown = {name: _without(found, folder, self._config.path) for name, found in quality.items()}
        return Tables(events, items, users, quality=shown)

    def _read(
        self,
        folder: Path,
        table: str,
        member: str,
        layout: CsvFormat,
        columns: list[Column],
        unique: str | None,
    ) -> tuple[pa.Table, Quality]:
        path = self._archive.take(member, folder)
        if self._layout is _DAT and member != self._layout.ratings and not _is_utf8(path):
            layout = replace(layout, encoding="latin-1")  # 1M is latin-1, 10M is UTF-8
        try:
            return read_table(table, [path], columns, csv=layout, max_bad=self._config.max_bad, unique=unique)
        except DataError as error:
            # The member was unpacked aside; its reader knows it by the archive's name.
            raise DataError(str(error).replace(f"{folder}/", f"{self._config.path}/")) from error

    def _events(self, folder: Path) -> tuple[pa.Table, Quality]:
        columns = [
            Column("user_id", "userId", "id", required=True),
            Column("item_id", "movieId", "id", required=True),
            Column("rating", "rating", "number", required=True),
            Column("time", "timestamp", "time", required=True, unit="s"),
        ]
        layout = self._layout
        rows, quality = self._read(folder, "events", layout.ratings, layout.ratings_csv, columns, None)
        least = self._config.rating_at_least
        if least is None:
            event = pa.repeat(pa.scalar("play", pa.string()), rows.num_rows)
        else:
            enough = pc.fill_null(pc.greater_equal(rows["rating"], least), False)
            event = pc.if_else(enough, "play", "rating")
        return rows.select(["user_id", "item_id", "time"]).append_column("event", event), quality

    def _items(self, folder: Path) -> tuple[pa.Table, Quality]:
        layout = self._layout
        columns = [
            Column("item_id", "movieId", "id", required=True),
            Column("title", "title", "text", required=True),
        ]
        if layout is _100K:
            columns += [Column(f"genre {name}", name, "whole", required=True) for name in _GENRES_100K]
        else:
            columns.append(Column("tags", "genres", "tags", required=True))
        rows, quality = self._read(folder, "items", layout.movies, layout.movies_csv, columns, "item_id")
        if layout is _100K:
            flags = [pc.equal(pc.fill_null(rows[f"genre {name}"], 0), 1).to_pylist() for name in _GENRES_100K]
            named = [
                [name for name, flag in zip(_GENRES_100K, row, strict=True) if flag and name != "unknown"]
                for row in zip(*flags, strict=True)
            ]
        else:
            named = [
                [name for name in genres or () if name != "(no genres listed)"] for genres in rows["tags"].to_pylist()
            ]
        title, year = _titles(rows["title"])
        items = pa.table(
            {
                "item_id": rows["item_id"],
                "title": title,
                "year": year,
                "tags": pa.array(named, pa.list_(pa.string())),
                "category": pa.array([genres[0] if genres else None for genres in named], pa.string()),
            }
        )
        if self._config.user_tags:
            items = items.append_column("user_tags", self._user_tags(folder, items["item_id"]))
        return items, quality

    def _user_tags(self, folder: Path, ids: pa.ChunkedArray) -> pa.Array:
        layout = self._layout
        if not layout.tags or layout.tags not in self._archive:
            raise DataError(f"{self._config.path}: user_tags needs {layout.tags or 'tags.csv'}, which is not there")
        columns = [
            Column("item_id", "movieId", "id", required=True),
            Column("tag", "tag", "text", required=True),
        ]
        rows, _ = self._read(folder, "tags", layout.tags, layout.tags_csv, columns, None)
        lowered = pa.table({"item_id": rows["item_id"], "tag": pc.utf8_lower(pc.utf8_trim_whitespace(rows["tag"]))})
        counted = lowered.group_by(["item_id", "tag"]).aggregate([([], "count_all")])
        counted = counted.sort_by([("count_all", "descending"), ("tag", "ascending")])
        tags: dict[str, list[str]] = {}
        for item, tag in zip(counted["item_id"].to_pylist(), counted["tag"].to_pylist(), strict=True):
            if tag:
                tags.setdefault(item, []).append(tag)
        return pa.array([tags.get(item, []) for item in ids.to_pylist()], pa.list_(pa.string()))

    def _users(self, folder: Path) -> tuple[pa.Table, Quality]:
        layout = self._layout
        columns = [
            Column("user_id", "userId", "id", required=True),
            Column("gender", "gender", "text", required=True),
            Column("age", "age", "whole", required=True),
            Column("occupation", "occupation", "text", required=True),
            Column("zip", "zip", "text", required=True),
        ]
        rows, quality = self._read(folder, "users", layout.users, layout.users_csv, columns, "user_id")
        age = np.asarray(pc.fill_null(rows["age"], -1))
        bands = [_AGE_BANDS[place] for place in np.searchsorted(_AGE_FROM, age, side="right")]
        occupation = rows["occupation"]
        if layout is _DAT:
            occupation = pa.array([_occupation(code) for code in occupation.to_pylist()], pa.string())
        users = {
            "user_id": rows["user_id"],
            "gender": rows["gender"],
            "age_band": pa.array([band if years >= 0 else None for band, years in zip(bands, age, strict=True)]),
            "occupation": occupation,
            "zip": rows["zip"],
        }
        if layout is _100K:
            users["age"] = rows["age"]
        return pa.table(users), quality


def _titles(titles: pa.ChunkedArray) -> tuple[pa.ChunkedArray, pa.ChunkedArray]:
    """Titles without their year, and the year as int32."""
    parts = pc.extract_regex(titles, r"^\s*(?P<title>.*?)\s*\((?P<year>\d{4})(?:[-\x{2013}]\d{0,4})?\)\s*$")
    title = pc.coalesce(pc.struct_field(parts, "title"), titles)
    return title, pc.cast(pc.struct_field(parts, "year"), pa.int32())


def _is_utf8(path: Path) -> bool:
    try:
        path.read_bytes().decode("utf-8")
    except UnicodeDecodeError:
        return False
    return True


def _occupation(code: str | None) -> str | None:
    if code is None or not code.isdigit() or int(code) >= len(_OCCUPATIONS_1M):
        return code
    return _OCCUPATIONS_1M[int(code)]


def _without(quality: Quality, folder: Path, path: Path) -> Quality:
    """Examples named by their archive, not by where its member was unpacked to read."""
    examples = tuple(
        type(bad)(bad.file.replace(f"{folder}/", f"{path}/"), bad.row, bad.column, bad.value, bad.reason)
        for bad in quality.examples
    )
    return Quality(quality.read, quality.bad, examples, quality.notes)
