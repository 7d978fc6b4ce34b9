"""The source `tables`: column mapping, time units, kinds of file, and what is said of bad rows."""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from yoorec.data.sources.config import TablesConfig
from yoorec.data.sources.tables import TablesSource
from yoorec.data.tables import BadRow, Tables
from yoorec.errors import DataError

MAPPED = {"events": {"user_id": "uid", "item_id": "vid", "time": "ts"}}
ROWS = [("u1", "a", 1000), ("u2", "b", 2000), ("u1", "b", 3000)]


def read(events: Path | tuple[Path, ...], **settings: Any) -> Tables:
    return TablesSource(TablesConfig(events=events, **settings)).read()


def write(path: Path, text: str | bytes) -> Path:
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return path


def columns(table: pa.Table) -> dict[str, list[Any]]:
    return table.to_pydict()


def csv_text(rows: list[tuple[Any, ...]], newline: str = "\n") -> str:
    return newline.join(["uid,vid,ts", *(",".join(map(str, row)) for row in rows)]) + newline


def as_kind(folder: Path, kind: str) -> Path:
    path = folder / f"events.{kind}"
    objects = "".join(json.dumps({"uid": u, "vid": v, "ts": t}) + "\n" for u, v, t in ROWS)
    if kind == "parquet":
        pq.write_table(
            pa.table({name: [row[place] for row in ROWS] for place, name in enumerate(("uid", "vid", "ts"))}), path
        )
    elif kind == "tsv":
        write(path, csv_text(ROWS).replace(",", "\t"))
    elif kind.endswith(".gz"):
        path.write_bytes(gzip.compress((csv_text(ROWS) if "csv" in kind else objects).encode()))
    else:
        write(path, csv_text(ROWS) if kind == "csv" else objects)
    return path


@pytest.mark.parametrize("kind", ["csv", "tsv", "csv.gz", "jsonl", "ndjson", "jsonl.gz", "parquet"])
def test_every_kind_of_file_gives_the_same_events(tmp_path: Path, kind: str) -> None:
    tables = read(as_kind(tmp_path, kind), columns=MAPPED)
    assert columns(tables.events) == {
        "user_id": ["u1", "u2", "u1"],
        "item_id": ["a", "b", "b"],
        "time": [1000, 2000, 3000],
        "event": ["play", "play", "play"],
    }
    assert tables.events.schema.types == [pa.string(), pa.string(), pa.int64(), pa.string()]
    assert (tables.quality["events"].read, tables.quality["events"].bad) == (3, 0)
    assert tables.items.num_rows == tables.users.num_rows == 0


@pytest.mark.parametrize(
    ("unit", "written"),
    [
        ("s", "1650000000"),
        ("s", "1650000000.0"),
        ("ms", "1650000000000"),
        ("us", "1650000000000999"),
        ("iso", "2022-04-15T05:20:00Z"),
        ("iso", "2022-04-15 05:20:00"),
        ("iso", "2022-04-15T07:20:00+02:00"),
    ],
)
def test_time_units_become_milliseconds(tmp_path: Path, unit: Any, written: str) -> None:
    path = write(tmp_path / "e.csv", f"user_id,item_id,time\nu,v,{written}\n")
    assert columns(read(path, time_unit=unit).events)["time"] == [1_650_000_000_000]


def test_fractions_of_seconds_are_kept(tmp_path: Path) -> None:
    path = write(tmp_path / "e.csv", "user_id,item_id,time\nu,v,1396437466.94\n")
    assert columns(read(path, time_unit="s").events)["time"] == [1_396_437_466_940]


def test_parquet_timestamps_need_no_unit(tmp_path: Path) -> None:
    moment = pa.array([1_650_000_000_123], pa.timestamp("ms"))
    for name, kind in (("plain", "ns"), ("zoned", "us")):
        zone = "Asia/Shanghai" if name == "zoned" else None
        stamps = moment.cast(pa.timestamp(kind)).cast(pa.timestamp(kind, tz=zone)) if zone else moment
        pq.write_table(pa.table({"user_id": [1], "item_id": [5.0], "time": stamps}), tmp_path / f"{name}.parquet")
        found = columns(read(tmp_path / f"{name}.parquet", time_unit="s").events)
        assert found == {"user_id": ["1"], "item_id": ["5"], "time": [1_650_000_000_123], "event": ["play"]}


def test_optional_columns_have_their_types(tmp_path: Path) -> None:
    path = write(
        tmp_path / "e.csv",
        "user_id,item_id,time,event,watch_s,main_item_id,session_id,position,request_id,propensity,ignored\n"
        "u,v,1,click,2.5,w,s1,3,r1,0.25,x\nu,v,2,play,,,,,,,\n",
    )
    events = read(path).events
    assert columns(events.drop_columns(["user_id", "item_id", "time"])) == {
        "event": ["click", "play"],
        "watch_s": [2.5, None],
        "main_item_id": ["w", None],
        "session_id": ["s1", None],
        "position": [3, None],
        "request_id": ["r1", None],
        "propensity": [0.25, None],
    }
    assert events.schema.field("watch_s").type == events.schema.field("propensity").type == pa.float32()
    assert events.schema.field("position").type == pa.int32()


def test_event_types_are_renamed_and_strangers_are_bad_rows(tmp_path: Path) -> None:
    path = write(tmp_path / "e.csv", "user_id,item_id,time,event\nu,v,1,1\nu,v,2,2\nu,v,3,9\n")
    tables = read(path, event_types={"1": "impression", "2": "play"}, max_bad=0.5)
    assert columns(tables.events)["event"] == ["impression", "play"]
    assert tables.quality["events"].examples == (
        BadRow(str(path), 4, "event", "9", "is no event type; accepted: 1, 2"),
    )


def test_quotes_newlines_crlf_bom_and_blank_lines(tmp_path: Path) -> None:
    text = '\ufeffuid,vid,ts\r\nu1,"a\r\nb",1\r\n\r\n"u""2","c,d",2\r\nu3,e,3'
    tables = read(write(tmp_path / "e.csv", text), columns=MAPPED)
    assert columns(tables.events)["user_id"] == ["u1", 'u"2', "u3"]
    assert columns(tables.events)["item_id"] == ["a\r\nb", "c,d", "e"]
    jsonl = '\ufeff{"uid": "u1", "vid": "a", "ts": 1}\r\n\r\n{"uid": "u2", "vid": "b", "ts": 2}'
    tables = read(write(tmp_path / "e.jsonl", jsonl), columns=MAPPED)
    assert columns(tables.events)["user_id"] == ["u1", "u2"]


def test_bad_rows_are_named_by_line_and_left_out(tmp_path: Path) -> None:
    text = (
        'uid,vid,ts\nu1,"a\nb",1\n,a,2\nu2,,3\nu3,a,soon\nu4,a,nan\nu5,a,99999999999999999\n'
        "u6,a\nu7,a,7,8\nu8,a,\n\nu9,a,9\n"
    )
    path = write(tmp_path / "e.csv", text)
    tables = read(path, columns=MAPPED, max_bad=0.9)
    assert columns(tables.events)["user_id"] == ["u1", "u9"]
    quality = tables.quality["events"]
    assert (quality.read, quality.bad) == (10, 8)
    between = "is no time between the years 1 and 9999 in ms"
    assert [str(example) for example in quality.examples] == [
        f"{path}: row 4: uid: '' is missing",
        f"{path}: row 5: vid: '' is missing",
        f"{path}: row 6: ts: 'soon' {between}",
        f"{path}: row 7: ts: 'nan' {between}",
        f"{path}: row 8: ts: '99999999999999999' {between}",
    ]
    with pytest.raises(DataError) as caught:
        read(path, columns=MAPPED)
    assert str(caught.value) == (
        "events: 8 of 10 rows can't be used, 80.00%; max_bad allows 1.00%\n"
        f"  {path}: row 4: uid: '' is missing\n"
        f"  {path}: row 5: vid: '' is missing\n"
        f"  {path}: row 6: ts: 'soon' {between}\n"
        f"  {path}: row 7: ts: 'nan' {between}\n"
        f"  {path}: row 8: ts: '99999999999999999' {between}\n"
        "  and 3 more"
    )


def test_rows_of_the_wrong_width_are_named_by_line(tmp_path: Path) -> None:
    path = write(tmp_path / "e.csv", 'uid,vid,ts\n\nu1,"a\nb",1\nu6,a\nu7,a,7,8\nu8,a,x\n')
    quality = read(path, columns=MAPPED, max_bad=1.0).quality["events"]
    assert [str(example) for example in quality.examples] == [
        f"{path}: row 5: line: 'u6,a' has fewer than 3 columns",
        f"{path}: row 6: line: 'u7,a,7,8' has more than 3 columns",
        f"{path}: row 7: ts: 'x' is no time between the years 1 and 9999 in ms",
    ]
    assert (quality.read, quality.bad) == (4, 3)


def test_numbers_are_checked(tmp_path: Path) -> None:
    head = "user_id,item_id,time,watch_s,position,propensity\n"
    lines = ["u,v,1,inf,1,0.5", "u,v,2,-1,1,0.5", "u,v,3,long,1,0.5", "u,v,4,1,-2,0.5", "u,v,5,1,1.5,0.5"]
    lines += ["u,v,6,1,1,0", "u,v,7,1,1,1.1", "u,v,8,1,3000000000,1", "u,v,9,1,1,1"]
    reasons = []
    for line in lines:
        path = write(tmp_path / "e.csv", head + line + "\n")
        reasons += [
            f"{bad.column} {bad.value} {bad.reason}" for bad in read(path, max_bad=1.0).quality["events"].examples
        ]
    assert reasons == [
        "watch_s inf is not finite",
        "watch_s -1 is negative",
        "watch_s long is no number",
        "position -2 is negative",
        "position 1.5 is no whole number",
        "propensity 0 is no probability in (0, 1]",
        "propensity 1.1 is no probability in (0, 1]",
        "position 3000000000 is above 2147483647",
    ]


def test_bad_parquet_rows_are_named_by_row(tmp_path: Path) -> None:
    path = tmp_path / "e.parquet"
    pq.write_table(pa.table({"user_id": ["a", None, "c"], "item_id": ["x", "y", ""], "time": [1, 2, 3]}), path)
    tables = read(path, max_bad=0.9)
    assert columns(tables.events)["user_id"] == ["a"]
    assert [str(bad) for bad in tables.quality["events"].examples] == [
        f"{path}: row 2: user_id: '' is missing",
        f"{path}: row 3: item_id: '' is missing",
    ]


def test_bad_json_lines_are_named_by_line(tmp_path: Path) -> None:
    lines = [
        b'{"user_id": 1, "item_id": "x", "time": 1.0}',
        b"",
        b'{"user_id": 1, "item_id": "x", "time"',
        b"[1, 2]",
        b"\xff\xfe",
        b'{"user_id": null, "item_id": "x", "time": 1}',
        b'{"user_id": 2, "item_id": "a\\u0000b", "time": 5}',
        b'{"item_id": "y", "time": 2, "user_id": 3}',
    ]
    path = write(tmp_path / "e.jsonl", b"\n".join(lines))
    tables = read(path, max_bad=0.9)
    assert columns(tables.events)["user_id"] == ["1", "3"]
    quality = tables.quality["events"]
    assert (quality.read, quality.bad) == (7, 5)
    assert [(bad.row, bad.column, bad.reason) for bad in quality.examples] == [
        (3, "line", "is no JSON object"),
        (4, "line", "is no JSON object"),
        (5, "line", "is no JSON object"),
        (6, "user_id", "is missing"),
        (7, "item_id", "holds a NUL character"),
    ]


def test_items_and_users_keep_their_other_columns(tmp_path: Path) -> None:
    events = write(tmp_path / "e.csv", "user_id,item_id,time\nu,v,1\n")
    items = write(
        tmp_path / "i.csv",
        'id,name,tags,made,length,price,score,code\nv,"A, b",x| y||z,2024-01-01,60,3,1.5,007\nw,,,,,4,2,010\n',
    )
    users = write(
        tmp_path / "u.jsonl",
        '{"user_id": "u", "age": 31, "likes": ["a", "b"], "zip": "02460"}\n{"user_id": "x"}\n',
    )
    tables = read(
        events,
        items=items,
        users=users,
        columns={"items": {"item_id": "id", "title": "name", "published_at": "made", "duration_s": "length"}},
        published_unit="iso",
    )
    assert columns(tables.items) == {
        "item_id": ["v", "w"],
        "title": ["A, b", None],
        "tags": [["x", "y", "z"], None],
        "duration_s": [60.0, None],
        "published_at": [1_704_067_200_000, None],
        "price": [3, 4],
        "score": [1.5, 2.0],
        "code": ["007", "010"],
    }
    assert tables.items.schema.field("tags").type == pa.list_(pa.string())
    assert columns(tables.users)["age"] == [31, None]
    assert columns(tables.users)["zip"] == ["02460", None]


def test_lists_survive_from_parquet_and_json(tmp_path: Path) -> None:
    events = write(tmp_path / "e.csv", "user_id,item_id,time\nu,v,1\n")
    pq.write_table(pa.table({"item_id": ["v"], "tags": [["a", " b "]], "actors": [["x", "y"]]}), tmp_path / "i.parquet")
    write(tmp_path / "i.jsonl", '{"item_id": "v", "tags": ["a", "b"]}\n{"item_id": "w", "tags": "c|d"}\n')
    found = columns(read(events, items=tmp_path / "i.parquet").items)
    assert found == {"item_id": ["v"], "tags": [["a", "b"]], "actors": [["x", "y"]]}
    assert columns(read(events, items=tmp_path / "i.jsonl").items)["tags"] == [["a", "b"], ["c", "d"]]


def test_a_repeated_item_is_a_bad_row(tmp_path: Path) -> None:
    events = write(tmp_path / "e.csv", "user_id,item_id,time\nu,v,1\n")
    one = write(tmp_path / "i1.csv", "item_id,title\nv,first\nw,other\nv,second\n")
    two = write(tmp_path / "i2.csv", "item_id,title\nw,third\nx,fourth\n")
    tables = read(events, items=(one, two), max_bad=0.5)
    assert columns(tables.items) == {"item_id": ["v", "w", "x"], "title": ["first", "other", "fourth"]}
    assert tables.quality["items"].bad == 2
    assert [str(bad) for bad in tables.quality["items"].examples] == [
        f"{one}: row 4: item_id: 'v' repeats the id of an earlier row",
        f"{two}: row 2: item_id: 'w' repeats the id of an earlier row",
    ]


def test_patterns_and_lists_of_files_keep_their_order(tmp_path: Path) -> None:
    write(tmp_path / "b[1].csv", "user_id,item_id,time\nu3,v,3\n")
    write(tmp_path / "a2.csv", "user_id,item_id,time,watch_s\nu2,v,2,1.5\n")
    write(tmp_path / "a1.csv", "user_id,item_id,time\nu1,v,1\n")
    tables = read((tmp_path / "b[1].csv", tmp_path / "a*.csv"))
    assert columns(tables.events)["user_id"] == ["u3", "u1", "u2"]
    assert columns(tables.events)["watch_s"] == [None, None, 1.5]


def test_missing_columns_name_file_column_and_nearest(tmp_path: Path) -> None:
    path = write(tmp_path / "e.csv", "user_id,item_ids,time\nu,v,1\n")
    with pytest.raises(DataError) as caught:
        read(path)
    assert str(caught.value) == (f"{path}: no column 'item_id'; nearest: item_ids; there are: user_id, item_ids, time")
    with pytest.raises(DataError) as caught:
        read(path, columns={"events": {"item_id": "item_ids", "watch_s": "seconds"}})
    assert str(caught.value) == (f"{path}: no column 'seconds' (for watch_s); there are: user_id, item_ids, time")


def test_mapping_names_are_checked(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(tmp_path, columns={"event": {}})
    assert str(caught.value) == "data.columns: 'event' is no table; nearest: events; accepted: events, items, users"
    with pytest.raises(DataError) as caught:
        read(tmp_path, columns={"events": {"watch": "w"}})
    assert str(caught.value) == (
        "data.columns.events: 'watch' is no column of events; nearest: watch_s; accepted: user_id, item_id, time, "
        "event, watch_s, main_item_id, session_id, position, request_id, propensity"
    )


def test_empty_and_header_only_files(tmp_path: Path) -> None:
    with pytest.raises(DataError) as caught:
        read(write(tmp_path / "e.csv", ""))
    assert str(caught.value) == f"{tmp_path / 'e.csv'}: is empty; its first line must name the columns"
    for name, text in (("h.csv", "user_id,item_id,time\n"), ("n.csv", "user_id,item_id,time"), ("e.jsonl", "")):
        tables = read(write(tmp_path / name, text))
        assert columns(tables.events) == {"user_id": [], "item_id": [], "time": [], "event": []}
        assert tables.events.schema.field("time").type == pa.int64()


def test_files_that_are_not_there(tmp_path: Path) -> None:
    write(tmp_path / "events.csv", "")
    cases = {
        tmp_path / "event.csv": f"{tmp_path / 'event.csv'}: there is no such file; nearest: events.csv",
        tmp_path / "x*.csv": f"{tmp_path / 'x*.csv'}: no file matches",
        tmp_path: f"{tmp_path}: is a folder; name its files, such as {tmp_path / '*.parquet'}",
    }
    for path, message in cases.items():
        with pytest.raises(DataError) as caught:
            read(path)
        assert str(caught.value) == message
    with pytest.raises(DataError) as caught:
        read(write(tmp_path / "events.xlsx", ""))
    assert str(caught.value) == (
        f"{tmp_path / 'events.xlsx'}: '.xlsx' is no known kind of table; accepted: .csv, .tsv, .jsonl, .ndjson, "
        ".parquet, and .gz after all but .parquet"
    )
