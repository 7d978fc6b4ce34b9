"""The page as text: what it holds is escaped, and its policy lets nothing else in."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from PIL import Image

from yoorec.data.catalogue import Catalogue
from yoorec.neighbors.lists import Neighbors
from yoorec.neighbors.page import page
from yoorec.neighbors.thumbnails import Look, looks_of
from yoorec.testing.worlds import small_catalogue

EVIL = "</script><script>alert(1)</script><img src=x onerror=alert(2)> & \" ' <!--"


def looks(neighbors: Neighbors, **changed: Look) -> dict[str, Look]:
    items = dict.fromkeys(each for query in neighbors.queries for each in (query.item_id, *query.pool()))
    return {each: changed.get(each, Look(f"title {each}")) for each in items}


def held(text: str) -> dict[str, Any]:
    (found,) = re.findall(r'<script type="application/json" id="page">(.*?)</script>', text, re.DOTALL)
    plain: dict[str, Any] = json.loads(found)
    return plain


def test_texts_of_the_data_can_not_leave_their_place(neighbors: Neighbors) -> None:
    evil = replace(neighbors, scene=EVIL, scenario=EVIL)
    text = page(evil, looks(evil, w=Look(EVIL), x=Look("x", fault=EVIL)))
    assert "alert(1)</script>" not in text
    assert "<img" not in text
    assert text.count("<script") == text.count("</script>") == 2
    found = held(text)
    assert found["scene"] == EVIL
    assert [each["title"] for each in found["items"] if each["id"] == "w"] == [EVIL]
    assert [each["fault"] for each in found["items"] if each["id"] == "x"] == [EVIL]


def test_what_looks_like_the_template_is_left_alone(neighbors: Neighbors) -> None:
    odd = replace(neighbors, scene="[[script]] [[none]]")
    text = page(odd, looks(odd, w=Look("[[style]]")))
    assert "<h1>[[script]] [[none]]</h1>" in text
    assert "[[style]]" in {each["title"] for each in held(text)["items"]}


def test_the_policy_names_the_page_s_own_script_and_style(neighbors: Neighbors) -> None:
    text = page(neighbors, looks(neighbors))
    (policy,) = re.findall(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    for name, pattern in (("style-src", r"<style>(.*?)</style>"), ("script-src", r"<script>(.*?)</script>")):
        (inline,) = re.findall(pattern, text, re.DOTALL)
        expected = base64.b64encode(hashlib.sha256(inline.encode()).digest()).decode()
        assert f"{name} 'sha256-{expected}';" in policy
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert "unsafe" not in policy
    assert not re.search(r"""(?:src|href)=["']?\w+:""", text.replace("http-equiv", ""))


def test_one_list_is_shown_in_its_order(listed: Callable[..., Neighbors]) -> None:
    single = listed({"q": {"a": ["z", "x", "y"]}})
    found = held(page(single, looks(single)))
    (query,) = found["queries"]
    assert [found["items"][each]["id"] for each in query["pool"]] == ["z", "x", "y"]
    assert query["lists"] == [[0, 1, 2]]


def test_several_lists_are_mixed_and_each_neighbour_stands_once(neighbors: Neighbors) -> None:
    found = held(page(neighbors, looks(neighbors)))
    assert found["triggers"] == ["a", "b"]
    for query, shown in zip(neighbors.queries, found["queries"], strict=True):
        ids = [found["items"][each]["id"] for each in shown["pool"]]
        assert sorted(ids) == list(query.pool())
        for name, places in zip(found["triggers"], shown["lists"], strict=True):
            assert [ids[place] for place in places] == [each.item_id for each in query.lists[name]]


def test_the_mixed_order_tells_no_trigger(listed: Callable[..., Neighbors]) -> None:
    many = [f"i{number:02d}" for number in range(20)]
    one = listed({"q": {"a": many[:12], "b": many[8:]}, "r": {"a": many[:12], "b": many[8:]}}, top=12)
    other = listed({"q": {"b": many[8:][::-1], "a": many[:12]}, "r": {"b": many[8:], "a": many[:12]}}, top=12)

    def orders(lists: Neighbors) -> list[list[str]]:
        found = held(page(lists, looks(lists)))
        return [[found["items"][each]["id"] for each in query["pool"]] for query in found["queries"]]

    # Neither who lists an item nor at which place moves it; the seed and the query do.
    assert orders(one) == orders(other)
    assert orders(one)[0] != orders(one)[1]
    assert orders(one) != orders(replace(one, seed=1))
    assert orders(one)[0] not in (many, many[8:] + many[:8])


def picture(width: int, height: int, kind: str = "png") -> bytes:
    written = io.BytesIO()
    Image.new("RGB", (width, height), (200, 30, 30)).save(written, kind)
    return written.getvalue()


def with_covers(covers: pa.Array) -> Catalogue:
    catalogue = small_catalogue(items=3)
    return replace(catalogue, item_columns=catalogue.item_columns.append_column("cover", covers))


def test_covers_become_small_jpegs(tmp_path: Path) -> None:
    (tmp_path / "c.png").write_bytes(picture(600, 300))
    catalogue = with_covers(pa.array([str(tmp_path / "c.png"), str(tmp_path / "gone.png"), None], pa.string()))
    small, broken, none = looks_of(catalogue, ["i0", "i1", "i2"]).values()
    data = base64.b64decode(small.image.removeprefix("data:image/jpeg;base64,"))
    with Image.open(io.BytesIO(data)) as image:
        assert (image.format, image.size) == ("JPEG", (240, 120))
    assert small.shape == 2.0
    assert broken == Look("title 1 1", fault="the cover there is no file 'gone.png'")
    assert none == Look("title 2 2")


def test_covers_may_be_bytes_and_titles_may_be_missing() -> None:
    catalogue = with_covers(pa.array([picture(10, 20), b"GIF89a", b""], pa.binary()))
    catalogue = replace(catalogue, item_columns=catalogue.item_columns.drop_columns(["title"]))
    found = looks_of(catalogue, ["i2", "i0", "i1"])
    assert [(each.title, each.shape, each.fault) for each in found.values()] == [
        ("i2", 1.0, "the cover is empty"),
        ("i0", 0.5, ""),
        ("i1", 1.0, "the cover is a GIF; JPEG, PNG and WebP are accepted"),
    ]


@pytest.mark.parametrize(
    ("shapes", "expected"), [((0.67, 0.67, 2.0), "0.67"), ((0.1,), "0.62"), ((9.0,), "1.78"), ((), "1.45")]
)
def test_the_room_for_covers_is_what_most_of_them_need(
    neighbors: Neighbors, shapes: tuple[float, ...], expected: str
) -> None:
    some = {f"i{place}": Look("", "data:", shape) for place, shape in enumerate(shapes)}
    assert f"--shape:{expected}}}" in page(neighbors, looks(neighbors) | some)
