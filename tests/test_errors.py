"""Errors: five facts in whole messages, and plain arguments that survive pickling."""

from __future__ import annotations

import pickle

import pytest

from yoorec import errors
from yoorec.errors import ConfigError, Problem, RequestError, YoorecError, nearest

FULL = Problem(
    "scenarios/home.yaml",
    "triggers.similar.neighbours",
    "'neighbours' is not accepted here",
    accepted="half_life, limit, neighbors, use",
    nearest="neighbors",
    hint="yoorec show scenarios/home.yaml",
)


def test_a_problem_says_file_key_found_nearest_accepted_and_what_to_try() -> None:
    assert str(FULL) == (
        "scenarios/home.yaml: triggers.similar.neighbours: 'neighbours' is not accepted here\n"
        "  nearest:  neighbors\n"
        "  accepted: half_life, limit, neighbors, use\n"
        "  try:      yoorec show scenarios/home.yaml"
    )


def test_what_is_not_known_is_left_out() -> None:
    assert str(Problem("", "slate", "0 is too small", accepted="at least 1")) == (
        "slate: 0 is too small\n  accepted: at least 1"
    )
    assert str(Problem("home.yaml", "", "is empty")) == "home.yaml: is empty"
    assert str(Problem("", "", "nothing to do")) == "nothing to do"


def test_a_config_error_says_every_problem() -> None:
    error = ConfigError((FULL, Problem("", "slate", "0 is too small")))
    assert error.problems == (FULL, Problem("", "slate", "0 is too small"))
    assert str(error) == f"{FULL}\nslate: 0 is too small"


def test_a_request_error_names_the_field() -> None:
    error = RequestError("k", "300 is out of range; accepted: 0 to 200")
    assert (error.field, error.message) == ("k", "300 is out of range; accepted: 0 to 200")
    assert str(error) == "k: 300 is out of range; accepted: 0 to 200"


@pytest.mark.parametrize(
    "error",
    [
        ConfigError((FULL,)),
        RequestError("k", "too many"),
        errors.PluginError("yoorec-fake 1.0: broken"),
        errors.DataError("events.csv: row 3: time: 'x' is no time"),
        errors.ArtifactError("near.npy: damaged"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_errors_survive_pickling(error: YoorecError) -> None:
    """Sweeps hand errors between processes; pickle is used here on nothing that comes from outside."""
    back = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(back) is type(error)
    assert str(back) == str(error)
    assert vars(back) == vars(error)
    assert isinstance(back, YoorecError)


@pytest.mark.parametrize(
    ("word", "options", "found"),
    [
        ("neighbours", ["limit", "neighbors"], "neighbors"),
        ("hott", ["text", "hot"], "hot"),
        ("zzz", ["limit", "neighbors"], None),
        ("hot", [], None),
        ("", ["hot"], None),
    ],
)
def test_nearest(word: str, options: list[str], found: str | None) -> None:
    assert nearest(word, options) == found


def test_every_error_is_one_that_the_command_line_prints() -> None:
    for name in errors.__all__:
        value = getattr(errors, name)
        if isinstance(value, type) and issubclass(value, Exception):
            assert issubclass(value, YoorecError), name
