import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET

from yoorec.config.scenario import ServeSettings
from yoorec.scene import SceneRequest, SessionPlay
from yoorec.server.wire import (
    Answer,
    ErrorBody,
    Play,
    Recommend,
    RefusalError,
    check_limits,
    encode,
    read_request,
    scene_request,
    unknown_scene,
)

ID = "a string of 1 to 256 characters"
TIME = "an integer: milliseconds since the epoch, years 1 to 9999"
KEYS = ["explain", "item_id", "k", "scene", "session", "time", "user_id"]
OBJECT = "a JSON object in UTF-8"
SESSION = "a list of item ids or of {item_id, time, event}, newest first"


def refused(body: bytes, settings: ServeSettings | None = None) -> dict[str, Any]:
    with pytest.raises(RefusalError) as caught:
        check_limits(read_request(body), settings or ServeSettings())
    found: dict[str, Any] = json.loads(caught.value.body())["error"]
    return found


def test_whole_request() -> None:
    body = {
        "scene": "home",
        "user_id": "u",
        "item_id": None,
        "session": ["a", {"item_id": "b", "time": 7}, {"item_id": "c"}, {"item_id": "b", "time": 7, "event": "like"}],
        "k": 3,
        "time": 9,
        "explain": True,
    }
    request = read_request(json.dumps(body).encode())
    assert request.scene == "home"
    assert request.explain is True
    check_limits(request, ServeSettings(allow_time=True))
    asked = scene_request(request)
    assert (asked.user_id, asked.item_id, asked.k, asked.time) == ("u", None, 3, 9)
    found = [SessionPlay(each.item_id, each.time, each.event) for each in asked.session]
    assert found == [SessionPlay("a"), SessionPlay("b", 7), SessionPlay("c"), SessionPlay("b", 7, "like")]


def test_empty_request_leaves_all_to_the_scene() -> None:
    assert scene_request(read_request(b"{}")) == SceneRequest(session=[])


def test_play_stands_for_session_play() -> None:
    import dataclasses

    expected = {each.name: each.default for each in dataclasses.fields(SessionPlay)}
    found = {each.name: each.default for each in msgspec.structs.fields(Play)}
    assert found == {**expected, "item_id": msgspec.NODEFAULT}


@pytest.mark.parametrize(
    ("body", "field", "message", "accepted"),
    [
        (b'{"k": "a"}', "k", "found a string", "an integer, at least 1"),
        (b'{"k": true}', "k", "found a boolean", "an integer, at least 1"),
        (b'{"k": null}', "k", "found null", "an integer, at least 1"),
        (b'{"k": 1.5}', "k", "found a number with a fraction or exponent", "an integer, at least 1"),
        (b'{"k": 0}', "k", "is out of range", "an integer, at least 1"),
        (b'{"k": -3}', "k", "is out of range", "an integer, at least 1"),
        (b'{"k": 1e400}', "k", "is out of range", "an integer, at least 1"),
        (b'{"k": ' + b"9" * 5000 + b"}", "k", "is out of range", "an integer, at least 1"),
        (b'{"k": 201}', "k", "201 is too many", "an integer from 1 to 200"),
        (b'{"time": 9e99}', "time", "found a number with a fraction or exponent", TIME),
        (b'{"time": 999999999999999999999999}', "time", "is out of range", TIME),
        (b'{"time": 5}', "time", "'time' is not accepted here", "nothing, unless serve.allow_time is true"),
        (b'{"user_id": 5}', "user_id", "found an integer", f"{ID}, or null"),
        (b'{"user_id": ""}', "user_id", "has the wrong length", f"{ID}, or null"),
        (b'{"item_id": "' + b"x" * 257 + b'"}', "item_id", "has the wrong length", f"{ID}, or null"),
        (b'{"scene": null}', "scene", "found null", ID),
        (b'{"explain": 1}', "explain", "found an integer", "true or false"),
        (b'{"session": {}}', "session", "found an object", SESSION),
        (b'{"session": [1]}', "session[0]", "found an integer", "an item id, or {item_id, time, event}"),
        (b'{"session": ["a", {"time": 1}]}', "session[1].item_id", "is missing", ID),
        (b'{"session": [{"item_id": "a", "time": "1"}]}', "session[0].time", "found a string", f"{TIME}; or null"),
        (b'{"session": [{"item_id": "a", "event": ""}]}', "session[0].event", "has the wrong length", ID),
        (
            b'{"session": [{"item_id": "a", "time": 4}, "b", {"item_id": "c", "time": 5}]}',
            "session[2].time",
            "5 is later than the play before it, 4",
            "newest first",
        ),
        (b'{"session": ["a", "b", "c", "d"]}', "session", "4 plays are too many", "at most 3 plays"),
        (b'{"k": 1, "k": 2}', "k", "'k' stands twice in one object", "each key at most once"),
        (b'{"k": 1, "\\u006b": 2}', "k", "'k' stands twice in one object", "each key at most once"),
        (
            b'{"session": [{"item_id": "a", "time": 1, "time": 1}]}',
            "time",
            "'time' stands twice in one object",
            "each key at most once",
        ),
        (b'{"user_id": "\xff"}', "body", "the body is not UTF-8", OBJECT),
        (b"[]", "body", "found a list", OBJECT),
        (b"3", "body", "found an integer", OBJECT),
        (b"", "body", "the body is not JSON: Input data was truncated", OBJECT),
        (b'{"k": NaN}', "body", "the body is not JSON: JSON is malformed: invalid character (byte 6)", OBJECT),
        (b"{}{}", "body", "the body is not JSON: JSON is malformed: trailing characters (byte 3)", OBJECT),
        (b"[" * 60_000, "body", "found a list", OBJECT),
    ],
)
def test_refusals(body: bytes, field: str, message: str, accepted: str) -> None:
    expected = {"message": message, "field": field, "accepted": accepted}
    assert refused(body, ServeSettings(max_session=3)) == expected


def test_unknown_keys_are_refused_with_the_nearest() -> None:
    assert refused(b'{"usr_id": 1}') == {
        "message": "'usr_id' is not accepted here",
        "field": "usr_id",
        "accepted": KEYS,
        "nearest": "user_id",
    }
    assert refused(b'{"session": ["a", {"item_id": "b", "tme": 1}]}') == {
        "message": "'tme' is not accepted here",
        "field": "session[1].tme",
        "accepted": ["event", "item_id", "time"],
        "nearest": "time",
    }
    long = refused(b'{"' + b"x" * 5000 + b'": 1}')
    assert long["field"] == "x" * 80 + "..."


def test_unknown_scene_names_the_nearest() -> None:
    error = unknown_scene("hoem", ["page", "home"])
    assert json.loads(error.body())["error"] == {
        "message": "'hoem' is not served here",
        "field": "scene",
        "accepted": ["home", "page"],
        "nearest": "home",
    }


def test_refusals_survive_pickling() -> None:
    import pickle

    error = RefusalError("k", "5 is too many", "an integer from 1 to 4", 413, "near")
    again = pickle.loads(pickle.dumps(error))  # noqa: S301 - our own bytes
    assert again.body() == error.body()
    assert again.status == 413


words = st.text(max_size=8) | st.sampled_from(['"', "\\", "k", '"k"', "time", "item_id", "\u2028", "é"])
ids = words.filter(bool)
plays = st.fixed_dictionaries(
    {"item_id": ids},
    optional={"time": st.none() | st.integers(0, 2**40), "event": ids | st.just("play")},
)
requests = st.fixed_dictionaries(
    {},
    optional={
        "scene": ids,
        "user_id": st.none() | ids,
        "item_id": st.none() | ids,
        "session": st.lists(ids | plays, max_size=5),
        "k": st.integers(1, 100),
        "time": st.integers(0, 2**40),
        "explain": st.booleans(),
    },
)


@given(requests, st.booleans(), st.sampled_from([None, 1, 4]))
def test_every_valid_request_is_read_as_it_stands(body: dict[str, Any], ascii_only: bool, indent: int | None) -> None:
    text = json.dumps(body, ensure_ascii=ascii_only, indent=indent)
    request = read_request(text.encode())
    for key in Recommend.__struct_fields__:
        if key == "session" and "session" in body:
            found = [
                each if isinstance(each, str) else (each.item_id, each.time, each.event) for each in request.session
            ]  # type: ignore[union-attr]
            expected = [
                each if isinstance(each, str) else (each["item_id"], each.get("time"), each.get("event", "play"))
                for each in body["session"]
            ]
            assert found == expected
        else:
            value = getattr(request, key)
            assert value == body[key] if key in body else value is UNSET


@given(requests.filter(bool), st.data())
def test_a_key_that_stands_twice_is_always_found(body: dict[str, Any], data: st.DataObject) -> None:
    """Whatever else the body holds, quotes and escapes included."""
    key = data.draw(st.sampled_from(sorted(body)))
    again = data.draw(st.sampled_from([body[key], *([] if key != "user_id" else ["other"])]))
    text = json.dumps(body)[:-1] + f", {json.dumps(key)}: {json.dumps(again)}" + "}"
    assert refused(text.encode())["message"] == f"'{key}' stands twice in one object"


@given(
    st.binary(max_size=60)
    | st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
        lambda inner: (
            st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from([*KEYS, "event", "x"]), inner, max_size=5)
        ),
    ).map(lambda value: json.dumps(value).encode())
)
def test_anything_else_is_refused_by_field(body: bytes) -> None:
    try:
        request = read_request(body)
    except RefusalError as error:
        told = msgspec.json.decode(error.body(), type=ErrorBody).error
        assert error.status == 400
        assert told.field
        assert told.message
        assert told.accepted
    else:
        assert isinstance(json.loads(body), dict)
        assert isinstance(request, Recommend)


def test_scores_that_are_not_finite_become_null() -> None:
    answer = {"scene": "s", "scenario_hash": "h", "items": [{"item_id": "a", "score": float("nan")}], "degraded": []}
    decoded = msgspec.json.decode(encode(answer), type=Answer)
    assert decoded.items[0].score is None


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_scores_keep_their_bits(score: float) -> None:
    import numpy as np

    sent = np.float32(score)
    received = np.float32(json.loads(encode([float(sent)]))[0])
    assert received.tobytes() == sent.tobytes()
