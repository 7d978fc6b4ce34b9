"""Wire types: what a request to the server holds, how it is checked, and the shape of what goes back.

One definition serves both: msgspec decodes and checks a body against it (a third of the time of orjson with checks
written by hand), and `yoorec.server.openapi` takes the JSON Schema of `/openapi.json` from it.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Annotated, Any, cast

import msgspec
from msgspec import UNSET, Meta, Struct, UnsetType

from yoorec.config.scenario import ServeSettings
from yoorec.errors import RequestError, nearest
from yoorec.scene import SceneRequest, SessionPlay

__all__ = [
    "Answer",
    "ErrorBody",
    "ErrorReport",
    "Item",
    "Play",
    "Recommend",
    "RefusalError",
    "Reload",
    "check_limits",
    "encode",
    "error_body",
    "read_reload",
    "read_request",
    "scene_request",
    "unknown_scene",
]

_EARLIEST_MS = -62_135_596_800_000
_LATEST_MS = 253_402_300_799_999
_LONGEST_ID = 256
_LONGEST_ECHO = 80
_PLAY = "play"

Id = Annotated[str, Meta(min_length=1, max_length=_LONGEST_ID)]
Time = Annotated[
    int, Meta(ge=_EARLIEST_MS, le=_LATEST_MS, description="Milliseconds since the epoch, years 1 to 9999.")
]
SceneName = Annotated[
    Id, Meta(description="The scene; may be left out where one is served.", examples=["underlying_page"])
]
UserId = Annotated[Id | None, Meta(description="Unknown and missing users are answered as cold starts.")]
ItemId = Annotated[Id | None, Meta(description="The main item: the video on the page.")]
K = Annotated[
    int, Meta(ge=1, le=2**31 - 1, description="Items wanted; the scenario's slate where left out.", examples=[10])
]
Now = Annotated[Time, Meta(description="The request's time; only under serve.allow_time.")]
Explain = Annotated[bool, Meta(description="Answer with the ledger and the time of each stage.")]


encode = msgspec.json.Encoder().encode
"""Value to JSON bytes; a float that is not finite becomes null."""


class Play(Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """One play of this visit; the same fields as `yoorec.scene.SessionPlay`, so that it can stand for one."""

    item_id: Id
    time: Annotated[
        Time | None, Meta(description="Without one, the play counts as made with the play before it in the list.")
    ] = None
    event: Annotated[Id, Meta(description="The type of the event, one that the scenario weighs.")] = _PLAY


Session = Annotated[
    list[Id | Play],
    Meta(description="Plays of this visit, newest first; times may be left out, and an item may stand repeatedly."),
]


class Recommend(Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """A request for a slate."""

    scene: SceneName | UnsetType = UNSET
    user_id: UserId | UnsetType = UNSET
    item_id: ItemId | UnsetType = UNSET
    session: Session | UnsetType = UNSET
    k: K | UnsetType = UNSET
    time: Now | UnsetType = UNSET
    explain: Explain | UnsetType = UNSET


class Reload(Struct, forbid_unknown_fields=True, frozen=True, gc=False):
    """What to reload."""

    scene: Annotated[Id, Meta(description="The scene; all that are served where left out.")] | UnsetType = UNSET


class Item(Struct, forbid_unknown_fields=True):
    """One recommended item."""

    item_id: str
    score: Annotated[
        float | None,
        Meta(description="The ranker's score; the float32 it was made of, exactly. null where not finite."),
    ]


class Answer(Struct, forbid_unknown_fields=True):
    """A slate, best first."""

    scene: str
    scenario_hash: Annotated[str, Meta(description="16 hex digits over everything that decides a list.")]
    items: list[Item]
    degraded: Annotated[
        list[str],
        Meta(description="Triggers left out because they failed or were late, each with its reason."),
    ]
    ledger: Annotated[
        list[dict[str, Any]] | UnsetType,
        Meta(description="Under explain: the provenance of every candidate, dropped ones included."),
    ] = UNSET
    timings_ms: Annotated[
        dict[str, float] | UnsetType, Meta(description="Under explain: wall time of each stage of the batch.")
    ] = UNSET


class ErrorReport(Struct, omit_defaults=True):
    """What is wrong with a request, or what failed while it was answered."""

    message: str
    field: Annotated[str, Meta(description="The field that can't be taken, such as session[2].time.")] = ""
    accepted: Annotated[Any, Meta(description="What is taken there.")] = None
    nearest: Annotated[str, Meta(description="The accepted word most like the one found.")] = ""
    stage: Annotated[str, Meta(description="The stage that failed.")] = ""


class ErrorBody(Struct):
    """The body of every answer that is no success."""

    error: ErrorReport


def error_body(message: str, **report: Any) -> bytes:
    """The JSON of an ErrorReport."""
    return encode(ErrorBody(ErrorReport(message, **report)))


class RefusalError(RequestError):
    """A request that can't be taken: the field, what was found, what is accepted, and the status to answer with."""

    def __init__(self, field: str, message: str, accepted: Any = None, status: int = 400, near: str = "") -> None:
        super().__init__(field, message)
        self.args = (field, message, accepted, status, near)
        self.accepted = accepted
        self.status = status
        self.near = near

    def body(self) -> bytes:
        """The JSON answer."""
        return error_body(self.message, field=self.field, accepted=self.accepted, nearest=self.near)


_decoder = msgspec.json.Decoder(Recommend)
_reload_decoder = msgspec.json.Decoder(Reload)

_ID = f"a string of 1 to {_LONGEST_ID} characters"
_TIME = "an integer: milliseconds since the epoch, years 1 to 9999"
_ACCEPTED: dict[str, Any] = {
    "body": "a JSON object in UTF-8",
    "scene": _ID,
    "user_id": f"{_ID}, or null",
    "item_id": f"{_ID}, or null",
    "session": "a list of item ids or of {item_id, time, event}, newest first",
    "session[]": "an item id, or {item_id, time, event}",
    "session[].item_id": _ID,
    "session[].time": f"{_TIME}; or null",
    "session[].event": _ID,
    "k": "an integer, at least 1",
    "time": _TIME,
    "explain": "true or false",
}
_KEYS = {"session[]": Play.__struct_fields__}
_WORDS = {
    "str": "a string",
    "int": "an integer",
    "float": "a number with a fraction or exponent",
    "bool": "a boolean",
    "null": "null",
    "array": "a list",
    "object": "an object",
}
_AT = re.compile(r"^(?P<what>.*?)(?: - at `\$\.?(?P<path>[\w.\[\]]*)`)?$", re.DOTALL)
_FOUND = re.compile(r"got `(\w+)`")
_NAMED = re.compile(r"^Object (?P<how>contains unknown|missing required) field `(?P<name>.*)`$", re.DOTALL)
_INDEX = re.compile(r"\[\d+\]")


def read_request(body: bytes) -> Recommend:
    """Decode and check a body, all but the limits of its scene. Raises RefusalError naming the field."""
    try:
        request = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _explained(error) from None
    # Decoders take the last of two equal keys in silence. Each key and string adds two quotes to the body, so a count
    # above what was decoded tells; with an escape in the body quotes tell nothing, and the keys are compared.
    if b"\\" in body or body.count(b'"') != _quotes(request):
        _refuse_repeated_keys(body)
    return request


def read_reload(body: bytes) -> Reload:
    """Decode and check a body; an empty one asks for everything. Raises RefusalError naming the field."""
    try:
        request = _reload_decoder.decode(body) if body.strip() else Reload()
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise _explained(error, Reload.__struct_fields__) from None
    if body.strip():
        _refuse_repeated_keys(body)
    return request


def _quotes(request: Recommend) -> int:
    """Quotes in a body that spells `request` without escapes, each key once; too few at worst, never too many."""
    quotes = 0
    for value in (request.scene, request.user_id, request.item_id):
        if value is not UNSET:
            quotes += 2 if value is None else 4
    for flag in (request.k, request.time, request.explain):
        if flag is not UNSET:
            quotes += 2
    if request.session is not UNSET:
        quotes += 2
        for play in request.session:
            if type(play) is Play:
                quotes += 4 + 2 * (play.time is not None) + 4 * (play.event is not _PLAY)
            else:
                quotes += 2
    return quotes


def _refuse_repeated_keys(body: bytes) -> None:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for key, value in pairs:
            if key in found:
                raise RefusalError(key, f"'{key}' stands twice in one object", "each key at most once")
            found[key] = value
        return found

    json.loads(body, object_pairs_hook=once)


def check_limits(request: Recommend, settings: ServeSettings) -> None:
    """Refuse what the scene's `serve` settings don't allow, and times that rise within the session."""
    if request.k is not UNSET and request.k > settings.max_k:
        raise RefusalError("k", f"{request.k} is too many", f"an integer from 1 to {settings.max_k}")
    if request.time is not UNSET and not settings.allow_time:
        raise RefusalError("time", "'time' is not accepted here", "nothing, unless serve.allow_time is true")
    if request.session is not UNSET:
        if len(request.session) > settings.max_session:
            raise RefusalError(
                "session", f"{len(request.session)} plays are too many", f"at most {settings.max_session} plays"
            )
        last = _LATEST_MS
        for place, play in enumerate(request.session):
            if type(play) is Play and play.time is not None:
                if play.time > last:
                    raise RefusalError(
                        f"session[{place}].time",
                        f"{play.time} is later than the play before it, {last}",
                        "newest first",
                    )
                last = play.time


def scene_request(request: Recommend) -> SceneRequest:
    """What the scene is asked."""
    session: list[Play] = []
    if request.session is not UNSET:
        session = [Play(play) if type(play) is str else play for play in request.session]  # type: ignore[misc]
    return SceneRequest(
        None if request.user_id is UNSET else request.user_id,
        None if request.item_id is UNSET else request.item_id,
        cast(list[SessionPlay], session),
        None if request.k is UNSET else request.k,
        None if request.time is UNSET else request.time,
    )


def unknown_scene(name: str, served: Sequence[str]) -> RefusalError:
    """The refusal of a scene that is not served."""
    return RefusalError(
        "scene", f"'{_clipped(name)}' is not served here", sorted(served), near=nearest(name, served) or ""
    )


def _explained(error: Exception, fields: Sequence[str] = Recommend.__struct_fields__) -> RefusalError:
    """Say in the API's words what msgspec found; `fields` are those of the body."""
    if isinstance(error, UnicodeDecodeError):
        return RefusalError("body", "the body is not UTF-8", _ACCEPTED["body"])
    if isinstance(error, RecursionError):
        return RefusalError("body", "the body is nested too deeply", _ACCEPTED["body"])
    if not isinstance(error, msgspec.ValidationError):
        return RefusalError("body", f"the body is not JSON: {error}", _ACCEPTED["body"])
    match = _AT.match(str(error))
    what, path = (match["what"], match["path"] or "") if match else (str(error), "")
    kind = _INDEX.sub("[]", path)
    named = _NAMED.match(what)
    if named:
        name = _clipped(named["name"])
        where = f"{path}.{name}" if path else name
        keys = _KEYS.get(kind, ()) if kind else fields
        if named["how"] == "missing required":
            return RefusalError(where, "is missing", _ACCEPTED.get(f"{kind}.{name}"))
        return RefusalError(where, f"'{name}' is not accepted here", sorted(keys), near=nearest(name, keys) or "")
    accepted = _ACCEPTED.get(kind or "body")
    found = _FOUND.search(what)
    if found:
        return RefusalError(path or "body", f"found {_WORDS.get(found[1], found[1])}", accepted)
    return RefusalError(path or "body", "has the wrong length" if "of length" in what else "is out of range", accepted)


def _clipped(text: str) -> str:
    return text if len(text) <= _LONGEST_ECHO else f"{text[:_LONGEST_ECHO]}..."
