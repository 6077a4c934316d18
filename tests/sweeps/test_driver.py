"""Tasks on executors: in any order, given twice, by workers that end, fail or cannot run them."""

import random
from concurrent.futures import BrokenExecutor, Future, ThreadPoolExecutor

import pytest

from glassnets.errors import GlassnetsError
from glassnets.sweeps.tasks import KilledError, StageError

from .conftest import trained


class Doubling(ThreadPoolExecutor):
    """Runs every task twice, and gives what came second."""

    def submit(self, run, *arguments):
        super().submit(run, *arguments)
        return super().submit(run, *arguments)


def files(driver):
    return {p.name: p.read_bytes() for p in driver.outcomes.folder.iterdir()}


def test_outcomes_do_not_depend_on_workers_order_or_doubles(make_driver, plan, opened_once):
    limits = dict.fromkeys(plan.tasks())
    one = make_driver(folder="one")
    assert one.finish(limits) == {}
    shuffled = [*limits]
    random.Random(0).shuffle(shuffled)
    four = make_driver(folder="four", workers=4)
    four.finish(dict.fromkeys(shuffled))
    twice = make_driver(folder="twice", open=opened_once(Doubling(4)))
    twice.finish(limits)
    assert files(one) == files(four) == files(twice)
    assert len(files(one)) == 6


def test_what_is_done_is_not_done_again(make_driver, plan):
    seen = []

    def counted(task, *others):
        seen.append(task)
        return trained(task, *others)

    tasks = plan.tasks()
    make_driver(counted).finish(dict.fromkeys(tasks[:2]))
    make_driver(counted).finish(dict.fromkeys(tasks))
    assert seen == tasks


def test_a_task_goes_to_another_worker_where_one_ends(make_driver, plan):
    ended = []

    class Ending(ThreadPoolExecutor):
        """Ends, as it were, with the third task, the first time."""

        def submit(self, run, task, *others):
            if task == plan.tasks()[2] and not ended:
                ended.append(task)
                future = Future()
                future.set_exception(BrokenExecutor("a process ended"))
                return future
            return super().submit(run, task, *others)

    driver = make_driver(open=lambda: Ending(1))
    assert driver.finish(dict.fromkeys(plan.tasks())) == {}
    assert ended
    assert len(files(driver)) == 6


def test_workers_that_always_end_are_an_error(make_driver, plan, opened_once):
    class Ended(ThreadPoolExecutor):
        def submit(self, *_):
            raise BrokenExecutor("out of memory")

    with pytest.raises(GlassnetsError, match="3 times none that did: for want of memory"):
        make_driver(open=opened_once(Ended(1))).finish(dict.fromkeys(plan.tasks()))


def test_workers_may_end_as_often_as_others_get_on(make_driver, plan):
    class Short(ThreadPoolExecutor):
        """Does one task, and then ends."""

        done = False

        def submit(self, run, task, *others):
            future = Future()
            if self.done:
                future.set_exception(BrokenExecutor("a process ended"))
            else:
                self.done = True
                future.set_result(run(task, *others))
            return future

    driver = make_driver(open=lambda: Short(1))
    assert driver.finish(dict.fromkeys(plan.tasks())) == {}
    assert len(files(driver)) == 6


def test_a_training_that_diverges_stops_no_other(make_driver, plan):
    def failing(task, *others):
        if "0.1" in task.overrides[0]:
            raise StageError(f"{task.stage}: expected a finite loss, got nan")
        return trained(task, *others)

    driver = make_driver(failing, workers=2)
    failed = driver.finish(dict.fromkeys(plan.tasks()))
    assert [*failed.values()] == ["train@digits-cnn: expected a finite loss, got nan"] * 2
    assert len(files(driver)) == 4


def test_a_stage_that_was_killed_is_run_again(make_driver, plan):
    ended = []

    def killed(task, *others):
        if task == plan.tasks()[2] and not ended:
            ended.append(task)
            raise KilledError("exited with -9")
        return trained(task, *others)

    driver = make_driver(killed)
    assert driver.finish(dict.fromkeys(plan.tasks())) == {}
    assert len(files(driver)) == 6


@pytest.mark.parametrize("error", [GlassnetsError("expected numpy 2, got 1"), KeyboardInterrupt()])
def test_what_others_have_done_is_kept(make_driver, plan, opened_once, error):
    """Where one fails, or the driver is interrupted, before it has seen that they did."""
    first, *others = plan.tasks()

    class Done(ThreadPoolExecutor):
        def submit(self, run, task, *rest):
            future = Future()
            if task == first:
                future.set_exception(error)
            else:
                future.set_result(run(task, *rest))
            return future

    driver = make_driver(open=opened_once(Done(1)))
    with pytest.raises(type(error)):
        driver.finish(dict.fromkeys(plan.tasks()))
    assert len(files(driver)) == len(others)


def test_a_scheduler_that_went_away_is_said(make_driver, plan, opened_once):
    class Lost(ThreadPoolExecutor):
        def submit(self, *_):
            future = Future()
            future.cancel()
            future.set_running_or_notify_cancel()
            return future

    with pytest.raises(GlassnetsError, match="got: that its scheduler went away; what is done"):
        make_driver(open=opened_once(Lost(1))).finish(dict.fromkeys(plan.tasks()))


@pytest.mark.parametrize("error", [GlassnetsError("expected numpy 2, got 1"), OSError("gone")])
def test_where_no_task_can_run_it_is_said_and_what_is_done_is_kept(make_driver, plan, error):
    def failing(task, *others):
        if task == plan.tasks()[3]:
            raise error
        return trained(task, *others)

    driver = make_driver(failing)
    with pytest.raises(GlassnetsError, match=r"got:? "):
        driver.finish(dict.fromkeys(plan.tasks()))
    kept = [task for task in plan.tasks() if driver.outcomes.get(task)]
    assert kept[:3] == plan.tasks()[:3]
    assert plan.tasks()[3] not in kept
