"""The page in a real browser: opened from a file, marked by click and by keyboard, reloaded, saved, loaded."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from click.testing import CliRunner
from playwright.sync_api import Browser, Locator, Page, sync_playwright

from yoorec.cli import main
from yoorec.neighbors.lists import Neighbors

CHROMIUM = shutil.which("chromium")
EVIL = "<script>document.title='evil'</script><img src=x onerror=\"document.title='evil'\">"
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]

pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="there is no chromium on this machine")


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield opened
        opened.close()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Lists of two triggers over the demo world with its covers, of which one is broken and one title is bad."""
    from yoorec.config.compose import load_scenario
    from yoorec.data.dataset import read_dataset
    from yoorec.neighbors.judging import prepare
    from yoorec.plugins import load_plugins

    top = tmp_path_factory.mktemp("page")
    (top / "demo.yaml").write_text(
        "defaults: [yoorec/base, {data: demo}, _self_]\n"
        "scene: demo\n"
        "data: {users: 200, items: 100, days: 4}\n"
        "triggers: {hot: {use: hot}, near: {use: itemcf}, vectors: {use: item2vec, dim: 8, epochs: 2}}\n"
        f"store: {top / 'store'}\n"
    )
    plugins = load_plugins()
    scenario = load_scenario(top / "demo.yaml", (), plugins)
    dataset = read_dataset(scenario)
    columns = dataset.log.catalogue.item_columns
    # The most popular stands in every list of `hot`: its cover is broken, and its title would be a script.
    hot = int(np.bincount(dataset.log.plays().item).argmax())
    titles, covers = columns["title"].to_pylist(), columns["cover"].to_pylist()
    titles[hot], covers[hot] = EVIL, b"GIF89a"
    for name, values in (("title", pa.array(titles)), ("cover", pa.array(covers, pa.binary()))):
        columns = columns.set_column(columns.column_names.index(name), name, values)
    catalogue = replace(dataset.log.catalogue, item_columns=columns)
    dataset = replace(dataset, log=replace(dataset.log, catalogue=catalogue))
    prepare(scenario, plugins, ["near", "hot"], queries=3, top=4, dataset=dataset).write(top / "two")
    prepare(scenario, plugins, ["vectors"], queries=2, top=5, dataset=dataset).write(top / "one")
    return top


@pytest.fixture
def opened(browser: Browser, folder: Path) -> Iterator[Callable[..., Page]]:
    """Open a page in a fresh profile: ``opened("two")``. Errors and requests of it fail the test."""
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    seen: list[str] = []

    def open_page(name: str = "two") -> Page:
        page = context.new_page()
        address = (folder / name / "index.html").as_uri()
        page.on("console", lambda said: seen.append(f"console: {said.text}"))
        page.on("pageerror", lambda error: seen.append(f"error: {error}"))
        page.on("request", lambda asked: seen.append(asked.url) if _elsewhere(asked.url, address) else None)
        page.goto(address)
        return page

    yield open_page
    context.close()
    assert seen == []


def _elsewhere(url: str, address: str) -> bool:
    return url != address and not url.startswith(("data:", "blob:file:", "blob:null"))


def cards(page: Page) -> Locator:
    return page.locator(".card")


def marks(page: Page) -> list[str | None]:
    return [each.get_attribute("data-mark") for each in cards(page).all()]


def save(page: Page, path: Path) -> dict[str, Any]:
    with page.expect_download() as started:
        page.get_by_role("button", name="Save marks").click()
    assert started.value.suggested_filename == "marks.json"
    started.value.save_as(path)
    saved: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return saved


def shown(page: Page) -> dict[str, str]:
    """Trigger to the figure that the page shows."""
    found = {}
    for line in page.locator("#figures li").all_inner_texts()[1:]:
        name, value, _ = line.split(maxsplit=2)
        found[name] = value
    return found


def judged(*arguments: Path) -> dict[str, str]:
    """Trigger to precision of the whole list, as `yoorec judged` prints it."""
    told = CliRunner().invoke(main, ["judged", *map(str, arguments)], catch_exceptions=False, env={"COLUMNS": "200"})
    assert told.exit_code == 0
    whole = told.output.split("precision@4", 1)[1]
    found = re.findall(r"^ *(near|hot) +(\S+)", whole, re.MULTILINE)
    return dict(found[:2])


def test_it_shows_every_neighbour_once_with_its_cover(opened: Callable[..., Page], folder: Path) -> None:
    page = opened()
    lists = Neighbors.read(folder / "two" / "neighbors.json")
    pooled = sum(len(query.pool()) for query in lists.queries)
    assert cards(page).count() == pooled
    assert page.locator("#count").inner_text() == f"0 of {pooled} judged"
    assert shown(page) == {"near": "-", "hot": "-"}
    sizes = page.evaluate("Promise.all([...document.images].map(i => i.decode().then(() => i.naturalWidth)))")
    assert set(sizes) == {96}
    # A trigger's name stands in the heading and nowhere else.
    assert page.locator("main").inner_text().count("hot") == 0
    for query, section in zip(lists.queries, page.locator("section.query").all(), strict=True):
        assert [each.get_attribute("title") for each in section.locator(".card").all()] != list(query.pool())


def test_a_title_is_text_and_a_broken_cover_says_why(opened: Callable[..., Page]) -> None:
    page = opened()
    assert page.title() == "demo: judging by eye"
    fault = page.locator(".picture.fault").first
    assert fault.inner_text() == EVIL
    assert fault.get_attribute("title") == "the cover is a GIF; JPEG, PNG and WebP are accepted"
    assert page.locator("img[src='x']").count() == 0


def test_marks_by_click_and_keyboard_stay_and_are_saved(
    opened: Callable[..., Page], folder: Path, tmp_path: Path
) -> None:
    page = opened()
    cards(page).nth(0).get_by_role("button", name="Not similar").click()
    cards(page).nth(1).get_by_role("button", name=re.compile("^Similar")).click()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("y")
    page.keyboard.press("y")
    page.keyboard.press("n")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("u")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("N")
    expected = ["not similar", "similar", "similar", "similar", None, "not similar"]
    assert marks(page)[:6] == expected
    assert marks(page)[6:] == [None] * (cards(page).count() - 6)
    pressed = [each.get_attribute("aria-pressed") for each in cards(page).nth(0).get_by_role("button").all()]
    assert pressed == ["false", "true"]
    page.get_by_role("textbox", name="Judge").fill("Ann")
    # Letters typed into a field are letters.
    page.get_by_role("textbox", name="Judge").press("y")
    figures = shown(page)
    page.reload()
    assert marks(page)[:6] == expected
    assert page.get_by_role("textbox", name="Judge").input_value() == "Anny"
    assert page.locator("#count").inner_text() == f"5 of {cards(page).count()} judged"
    assert shown(page) == figures
    saved = save(page, tmp_path / "marks.json")
    lists = folder / "two" / "neighbors.json"
    assert saved["judge"] == "Anny"
    assert saved["digest"] == Neighbors.read(lists).digest
    assert [each["mark"] for each in saved["marks"]] == [each for each in expected if each]
    assert judged(lists, tmp_path / "marks.json") == figures


def test_a_second_click_clears_and_start_over_clears_all(opened: Callable[..., Page]) -> None:
    page = opened("one")
    similar = cards(page).nth(2).get_by_role("button", name=re.compile("^Similar"))
    similar.click()
    similar.click()
    assert set(marks(page)) == {None}
    similar.click()
    page.once("dialog", lambda dialog: dialog.dismiss())
    page.get_by_role("button", name="Start over").click()
    assert marks(page)[2] == "similar"
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Start over").click()
    assert set(marks(page)) == {None}
    page.reload()
    assert set(marks(page)) == {None}


def test_arrows_move_by_rows_and_the_next_unjudged_is_found(opened: Callable[..., Page]) -> None:
    page = opened("one")

    def at() -> int:
        return page.evaluate("[...document.querySelectorAll('.card')].indexOf(document.activeElement)")  # type: ignore[no-any-return]

    page.set_viewport_size({"width": 390, "height": 844})  # two cards a row, five of each item
    page.keyboard.press("ArrowDown")
    assert at() == 0
    places = []
    for key in ("ArrowDown", "ArrowRight", "ArrowDown", "ArrowDown", "ArrowUp", "ArrowUp", "ArrowLeft"):
        page.keyboard.press(key)
        places.append(at())
    assert places == [2, 3, 4, 5, 4, 2, 1]
    page.keyboard.press("y")
    page.keyboard.press("n")
    page.get_by_role("button", name="Next unjudged").click()
    assert at() == 3
    assert cards(page).nth(3).evaluate("card => card.getBoundingClientRect().bottom <= innerHeight")


def test_one_trigger_s_list_keeps_its_order_and_pages_do_not_mix(opened: Callable[..., Page], folder: Path) -> None:
    page = opened("one")
    lists = Neighbors.read(folder / "one" / "neighbors.json")
    titles = [each.get_attribute("title") for each in cards(page).all()]
    assert titles == [each.item_id for query in lists.queries for each in query.lists["vectors"]]
    for key in "yny":
        page.keyboard.press(key)
    assert shown(page) == {"vectors": "0.6667"}
    other = opened("two")
    assert set(marks(other)) == {None}
    assert marks(opened("one"))[:3] == ["similar", "not similar", "similar"]


def test_a_second_tab_follows(opened: Callable[..., Page]) -> None:
    one, two = opened("one"), opened("one")
    one.keyboard.press("y")
    two.locator(".card[data-mark=similar]").first.wait_for()
    assert marks(two) == marks(one)


def test_saved_marks_can_be_loaded_and_others_are_refused(opened: Callable[..., Page], tmp_path: Path) -> None:
    page = opened("two")
    page.get_by_role("textbox", name="Judge").fill("Ann")
    page.locator("h1").click()  # out of the field
    for key in "ynn":
        page.keyboard.press(key)
    before = marks(page)
    saved = save(page, tmp_path / "marks.json")
    page.once("dialog", lambda dialog: dialog.accept())
    page.get_by_role("button", name="Start over").click()
    told, file = page.locator("#told"), page.locator("#file")

    def load(name: str, body: Any) -> str:
        (tmp_path / name).write_text(body if isinstance(body, str) else json.dumps(body))
        file.set_input_files(tmp_path / name)
        page.wait_for_function("name => document.getElementById('told').textContent.includes(name)", arg=name)
        return told.inner_text()

    assert load("a.json", saved | {"digest": "beef"}) == "a.json can't be taken: it holds marks of another page."
    assert load("b.json", "{") == "b.json can't be taken: it is no JSON."
    assert load("c.json", "null") == "c.json can't be taken: it holds no marks."
    stranger = {"query": "q", "item": "z", "mark": "similar"}
    assert load("d.json", saved | {"marks": [*saved["marks"], stranger]}) == (
        "d.json can't be taken: it marks 'z' for 'q', which is not on this page."
    )
    wrong = saved["marks"][0] | {"mark": "alike"}
    assert load("e.json", saved | {"marks": [wrong]}).startswith("e.json can't be taken: it says 'alike' of ")
    assert set(marks(page)) == {None}
    assert load("f.json", saved) == "Loaded 3 marks from f.json."
    assert marks(page) == before
    assert page.get_by_role("textbox", name="Judge").input_value() == "Ann"
    page.reload()
    assert marks(page) == before


@pytest.mark.parametrize("width", [320, 390, 768, 1280, 1920])
def test_nothing_is_wider_than_the_screen(opened: Callable[..., Page], width: int) -> None:
    page = opened("two")
    page.set_viewport_size({"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    wide = "[...document.querySelectorAll('.card button')].filter(b => b.scrollWidth > b.clientWidth).length"
    assert page.evaluate(wide) == 0


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_texts_stand_out_from_what_is_behind_them(browser: Browser, folder: Path, scheme: Any) -> None:
    """Contrast of at least 4.5 (WCAG 2.2, 1.4.3) of every text, judged and not."""
    context = browser.new_context(color_scheme=scheme)
    page = context.new_page()
    page.goto((folder / "two" / "index.html").as_uri())
    for key in "ynyn":
        page.keyboard.press(key)
    low = page.evaluate(CONTRAST)
    context.close()
    assert low == []


CONTRAST = """() => {
  const rgb = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = ([r, g, b]) => [r, g, b].map((v) => v / 255)
    .map((v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4))
    .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const behind = (element) => {
    for (let e = element; e; e = e.parentElement) {
      const colour = rgb(getComputedStyle(e).backgroundColor);
      if (colour.length < 4 || colour[3] > 0) return colour;
    }
    return [255, 255, 255];
  };
  const low = [];
  for (const element of document.querySelectorAll("body *")) {
    const own = [...element.childNodes].some((n) => n.nodeType === 3 && n.textContent.trim());
    if (!own || !element.checkVisibility()) continue;
    const [a, b] = [light(rgb(getComputedStyle(element).color)), light(behind(element))].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) low.push(`${element.className || element.tagName}: ${element.textContent}`);
  }
  return low;
}"""
