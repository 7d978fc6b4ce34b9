"""A crew of real processes: what they are told, what is heard of them, and how they end."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from yoorec.crew import Crew

MODULE = """
import json, os, sys, time
from pathlib import Path
from yoorec.crew import begun, tell

how, folder = sys.argv[1], Path(sys.argv[2])
number = int(os.environ["NUMBER"])
(folder / f"met{number}").write_text(json.dumps([os.getpid(), os.environ["ADDRESSES"]]))
if not begun():
    sys.exit(9)
if how == "fail" and number == 1:
    print("what was wrong", file=sys.stderr)
    sys.exit(3)
if how == "fail" or how == "sleep":
    time.sleep(600)
print("not heard", file=sys.stderr)
tell(0.5, f"number {number}")
tell(1.0, (folder / "job").read_text())
"""


@pytest.fixture(autouse=True)
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "sailors.py").write_text(MODULE, encoding="utf-8")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delenv("PYTHONPATH", raising=False)


def crew(how: str, size: int = 2) -> Crew:
    def environment(addresses: list[str], number: int) -> dict[str, str]:
        return os.environ | {"NUMBER": str(number), "ADDRESSES": " ".join(addresses)}

    return Crew("test: sailing", "sailors", (how,), size, environment)


def met(folder: Path, size: int = 2) -> list[str]:
    """What each process found, once all are there."""
    paths = [folder / f"met{number}" for number in range(size)]
    until = time.monotonic() + 60
    while not all(path.exists() and path.read_text().endswith("]") for path in paths):
        assert time.monotonic() < until
        time.sleep(0.01)
    return [path.read_text() for path in paths]


def gone(text: str) -> bool:
    try:
        os.kill(int(text[1:].split(",")[0]), 0)
    except ProcessLookupError:
        return True
    return False


@pytest.mark.parametrize("size", [1, 2, 3])
def test_the_job_is_done_by_all_and_the_chief_is_heard(size: int) -> None:
    heard: list[tuple[float, str]] = []
    with crew("work", size) as sailors:
        (sailors.folder / "job").write_text("a job", encoding="utf-8")
        sailors.run(lambda *each: heard.append(each))
        found = met(sailors.folder, size)
    assert heard == [(0.5, "number 0"), (1.0, "a job")]
    addresses = {each.split('"')[1] for each in found}
    assert len(addresses) == 1
    ports = [each.rsplit(":", 1)[1] for each in addresses.pop().split()]
    assert len(set(ports)) == len(ports) == (size if size > 1 else 0)
    assert not sailors.folder.exists()


def test_one_that_fails_ends_the_others_and_its_last_words_are_told() -> None:
    with crew("fail") as sailors:
        found = met(sailors.folder)
        with pytest.raises(RuntimeError) as caught:
            sailors.run(lambda *_: None)
        assert all(gone(each) for each in found)
    assert str(caught.value) == "test: sailing process 2 of 2 ended with 3: what was wrong"


def test_leaving_ends_them_whether_they_began_or_not() -> None:
    with crew("sleep") as sailors:
        found = met(sailors.folder)
    assert all(gone(each) for each in found)

    def stop(share: float, note: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), crew("work") as sailors:
        (sailors.folder / "job").write_text("a job", encoding="utf-8")
        sailors.run(stop)
    assert not sailors.folder.exists()


def test_one_whose_beginner_has_ended_does_not_begin() -> None:
    with crew("work", 1) as sailors:
        (process,) = sailors._processes
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(60) == 9
