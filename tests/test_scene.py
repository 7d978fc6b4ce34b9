from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from yoorec.errors import RequestError
from yoorec.fit import fit
from yoorec.scene import Scene, SceneRequest, SessionPlay

NOW = 1_700_900_000_000


@pytest.fixture
def scene(small_scene: Callable[..., Any]) -> Any:
    made = small_scene(ranker="blend")
    opened = Scene.open(made.scenario, fit(made.scenario, made.plugins, made.dataset), made.plugins)
    yield opened
    opened.close()


def test_ids_become_indices_and_unknown_ones_minus_one(scene: Scene) -> None:
    arrivals = scene.encode(
        [
            SceneRequest("u03", "i05", [SessionPlay("i05", NOW - 5), SessionPlay("i02", NOW - 9)], 7, NOW),
            SceneRequest("nobody", "nothing", [SessionPlay("what", NOW), SessionPlay("i01", NOW)], None, NOW),
            SceneRequest(time=NOW),
        ]
    )
    assert arrivals.user.tolist() == [3, -1, -1]
    assert arrivals.item.tolist() == [5, -1, -1]
    assert arrivals.k.tolist() == [7, 10, 10]
    assert arrivals.time.tolist() == [NOW, NOW, NOW]
    assert arrivals.session.offsets.tolist() == [0, 2, 3, 3]
    assert arrivals.session.item.tolist() == [5, 2, 1]
    assert arrivals.session.time.tolist() == [NOW - 5, NOW - 9, NOW]
    assert arrivals.session.weight.tolist() == [1.0, 1.0, 1.0]
    arrivals.session.check()


def test_main_item_joins_a_session_that_lacks_it(scene: Scene) -> None:
    arrivals = scene.encode([SceneRequest("u01", "i05", [SessionPlay("i02", NOW - 9)], 3, NOW)])
    assert arrivals.session.item.tolist() == [5, 2]
    assert arrivals.session.time.tolist() == [NOW, NOW - 9]


def test_plays_without_a_time_take_that_of_the_play_before_them(scene: Scene) -> None:
    plays = [SessionPlay("i01"), SessionPlay("i02", NOW - 10), SessionPlay("i03"), SessionPlay("i04", NOW - 30)]
    arrivals = scene.encode([SceneRequest("u01", "i01", plays, 3, NOW)])
    assert arrivals.session.time.tolist() == [NOW, NOW - 10, NOW - 10, NOW - 30]


def test_now_comes_from_the_clock_passed_in(scene: Scene) -> None:
    assert scene.encode([SceneRequest("u01")], clock=lambda: 12.5).time.tolist() == [12_500]


def test_clocks_that_differ_a_little_are_forgiven(scene: Scene) -> None:
    arrivals = scene.encode([SceneRequest("u01", "i01", [SessionPlay("i01", NOW + 60_000)], 3, NOW)])
    assert arrivals.session.time.tolist() == [NOW]


@pytest.mark.parametrize(
    ("plays", "field", "told"),
    [
        ([SessionPlay("i01", NOW + 10**7)], "session[0].time", f"{NOW + 10**7} is later than the request, {NOW}"),
        (
            [SessionPlay("i01", NOW - 9), SessionPlay("i02", NOW - 5)],
            "session[1].time",
            f"{NOW - 5} is later than the play before it; newest come first",
        ),
        (
            [SessionPlay("i01", NOW, "pley")],
            "session[0].event",
            "'pley' is no play in this scene; accepted: play; nearest: play",
        ),
    ],
)
def test_bad_session_is_refused_by_field(scene: Scene, plays: list[SessionPlay], field: str, told: str) -> None:
    with pytest.raises(RequestError) as caught:
        scene.encode([SceneRequest("u01", None, plays, 3, NOW)])
    assert (caught.value.field, caught.value.message) == (field, told)


def test_answer_in_outside_ids(scene: Scene) -> None:
    answer = scene.recommend("u01", "i05", ["i05"], k=4, time=NOW)
    assert set(answer) == {"scene", "scenario_hash", "items", "degraded"}
    assert (answer["scene"], answer["scenario_hash"], answer["degraded"]) == ("small", "0123456789abcdef", [])
    assert len(answer["items"]) == 4
    scores = [item["score"] for item in answer["items"]]
    assert scores == sorted(scores, reverse=True)
    assert all(item["item_id"] in scene.catalogue.items.ids for item in answer["items"])
    assert "i05" not in [item["item_id"] for item in answer["items"]]
    assert all(np.float32(score) == score for score in scores)


def test_explained_answer_holds_ledger_and_timings(scene: Scene) -> None:
    answer = scene.recommend("u01", time=NOW, explain=True)
    slate = [entry["item_id"] for entry in answer["ledger"] if "place" in entry]
    assert slate == [item["item_id"] for item in answer["items"]]
    assert {"profile", "merge", "ranker", "total"} <= set(answer["timings_ms"])


@pytest.mark.parametrize("k", [-1, 201])
def test_k_out_of_range_is_refused(scene: Scene, k: int) -> None:
    with pytest.raises(RequestError, match=rf"k: {k} is out of range; accepted: 0 to 200"):
        scene.recommend(k=k)


def test_cold_request_gets_a_list(scene: Scene) -> None:
    assert len(scene.recommend(time=NOW)["items"]) == 10


def test_warm_up_leaves_no_trace(scene: Scene) -> None:
    before = scene.recommend("u01", "i05", time=NOW)
    scene.warm()
    assert scene.recommend("u01", "i05", time=NOW) == before
