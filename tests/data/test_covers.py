"""Where covers lie: paths start at their table's folder and stay in it."""

from __future__ import annotations

from pathlib import Path

from yoorec.data.covers import place_covers


def test_paths_start_at_the_folder_and_stay_in_it(tmp_path: Path) -> None:
    folder, aside = tmp_path / "data", tmp_path / "aside"
    for each in (folder / "in", aside):
        each.mkdir(parents=True)
    (aside / "secret.jpg").write_bytes(b"x")
    (folder / "in/link.jpg").symlink_to(aside / "secret.jpg")
    (folder / "in/own.jpg").symlink_to(folder / "a.jpg")
    (folder / "out").symlink_to(aside)
    (tmp_path / "data2").mkdir()
    inside = {
        "a.jpg": "a.jpg",
        "in/b.jpg": "in/b.jpg",
        "in/../c.jpg": "c.jpg",
        "in/own.jpg": "a.jpg",
        str(folder / "in/d.jpg"): "in/d.jpg",
    }
    outside = [
        "../aside/secret.jpg",
        "in/link.jpg",
        "out/secret.jpg",
        "/etc/passwd",
        "..",
        "in/../..",
        str(tmp_path / "data2/a.jpg"),
        "in/../../aside/secret.jpg",
    ]
    placed, refused = place_covers([*inside, *outside, None, "https://example.org/a.jpg"], folder)
    assert placed[: len(inside)] == [str(folder.resolve() / name) for name in inside.values()]
    assert refused == list(range(len(inside), len(inside) + len(outside)))
    assert placed[len(inside) :] == [None] * (len(outside) + 1) + ["https://example.org/a.jpg"]


def test_a_folder_behind_a_link_is_the_folder(tmp_path: Path) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "named").symlink_to(tmp_path / "real")
    placed, refused = place_covers(["a.png", str(tmp_path / "real/b.png")], tmp_path / "named")
    assert placed == [str((tmp_path / "real").resolve() / name) for name in ("a.png", "b.png")]
    assert refused == []
