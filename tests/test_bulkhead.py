import threading

import pytest

from yoorec.bulkhead import Bulkhead, BusyError


def test_result_and_error_reach_the_caller() -> None:
    bulkhead = Bulkhead("t", 2)
    assert bulkhead.submit(lambda: 41 + 1).result(5) == 42

    def fail() -> None:
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        bulkhead.submit(fail).result(5)
    bulkhead.close()


def test_held_threads_refuse_further_calls_and_come_back() -> None:
    bulkhead = Bulkhead("t", 2)
    gate = threading.Event()
    held = [bulkhead.submit(gate.wait) for _ in range(2)]
    with pytest.raises(BusyError):
        bulkhead.submit(lambda: None)
    gate.set()
    assert [future.result(5) for future in held] == [True, True]
    for _ in range(50):
        assert bulkhead.submit(lambda: 1).result(5) == 1
    bulkhead.close()


def test_threads_are_daemons_and_few() -> None:
    before = set(threading.enumerate())
    bulkhead = Bulkhead("few", 3)
    for _ in range(20):
        bulkhead.submit(lambda: None).result(5)
    new = [thread for thread in threading.enumerate() if thread not in before and "few" in thread.name]
    assert 1 <= len(new) <= 3
    assert all(thread.daemon for thread in new)
    bulkhead.close()
