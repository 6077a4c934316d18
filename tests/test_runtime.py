"""What runs on several threads gives the same, in the same order."""

import threading
import time

import pytest

from glassnets.runtime import concurrently


@pytest.fixture(autouse=True)
def _tensorflow(tensorflow):
    """Two threads, as params.yaml has it."""


def named(item):
    time.sleep(0.01 * (item == 1))  # the others overtake it
    return item, threading.current_thread()


@pytest.mark.parametrize("compiled", [False, True])
def test_results_come_in_the_order_of_the_items(compiled):
    results = concurrently(named, iter(range(9)), compiled=compiled)
    assert [item for item, _ in results] == list(range(9))
    here = [item for item, thread in results if thread is threading.current_thread()]
    assert here == ([] if compiled else [0])
    assert len({thread for _, thread in results}) > 1


def test_a_call_within_another_takes_no_threads_of_its_own():
    def within(_):
        return {thread for _, thread in concurrently(named, range(3), compiled=True)}

    first, *others = concurrently(within, range(5))
    assert threading.current_thread() not in first  # before the others, it has the threads
    assert all(len(threads) == 1 for threads in others)
    assert len(set.union(*others)) <= 2


def test_of_one_item_and_of_none():
    assert concurrently(named, [4]) == [(4, threading.current_thread())]
    assert concurrently(named, []) == []


def test_an_error_reaches_the_caller():
    with pytest.raises(ZeroDivisionError):
        concurrently(lambda item: 1 / item, [2, 1, 0])
