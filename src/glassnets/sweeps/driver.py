"""Hands tasks to an executor, until each has its outcome."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, CancelledError, Executor, Future, as_completed
from contextlib import AbstractContextManager, ExitStack, suppress
from typing import NoReturn

from tqdm import tqdm

from glassnets.errors import GlassnetsError
from glassnets.sweeps import tasks
from glassnets.sweeps.outcomes import Outcomes
from glassnets.sweeps.tasks import KilledError, Outcome, Places, StageError, Task
from glassnets.tracking.epochs import Limits

ATTEMPTS = 3  # of workers that end before any task of theirs does
Opened = AbstractContextManager[Executor]


class Driver:
    """Keeps an executor from the first task on, until it is closed."""

    def __init__(
        self,
        opening: Callable[[], Opened],
        places: Places,
        outcomes: Outcomes,
        run: Callable[[Task, Places, Limits | None], Outcome] = tasks.run,
    ):
        """opening: gives an executor. places: of the tasks. outcomes: what they came to so far.
        run: what a worker does with a task."""
        self.opening, self.places, self.outcomes, self.run = opening, places, outcomes, run
        self._opened = ExitStack()
        self._executor: Executor | None = None

    def close(self) -> None:
        """Ends the executor, and the tasks that it is still at."""
        self._executor = None
        self._opened.close()

    def finish(self, limits: Mapping[Task, Limits | None]) -> dict[Task, str]:
        """Runs the tasks that have no outcome under their limits; of those whose training diverged,
        what it said. A task that is given twice is run once. Raises GlassnetsError where workers
        end again and again, or cannot run tasks at all; outcomes so far are kept, also where this
        is interrupted.
        """
        failed: dict[Task, str] = {}
        attempts, before = 0, len(limits) + 1
        with tqdm(total=len(limits), desc="tasks", unit="task", disable=None) as bar:
            while True:
                waiting = [
                    task
                    for task, own in limits.items()
                    if task not in failed and not self.outcomes.get(task, own)
                ]
                bar.update(len(limits) - len(waiting) - bar.n)
                if not waiting:
                    return failed
                attempts = 1 if len(waiting) < before else attempts + 1
                before = len(waiting)
                try:
                    self._follow(waiting, limits, failed, bar)
                except (BrokenExecutor, KilledError) as error:
                    self.close()
                    if attempts == ATTEMPTS:
                        raise GlassnetsError(
                            f"expected workers to finish {waiting[0].stage}, got {ATTEMPTS} times "
                            "none that did: for want of memory? fewer --workers need less"
                        ) from error

    def _follow(
        self,
        waiting: Sequence[Task],
        limits: Mapping[Task, Limits | None],
        failed: dict[Task, str],
        bar: "tqdm[NoReturn]",
    ) -> None:
        if self._executor is None:
            self._executor = self._opened.enter_context(self.opening())
        submit = self._executor.submit
        futures = {submit(self.run, task, self.places, limits[task]): task for task in waiting}
        broken: BrokenExecutor | KilledError | None = None
        try:
            for future in as_completed(futures):
                task = futures[future]
                try:
                    self.outcomes.put(task, limits[task], future.result())
                except StageError as error:
                    failed[task] = str(error)
                except (BrokenExecutor, KilledError) as error:
                    broken = error  # others may have been done before
                    continue
                except GlassnetsError:
                    raise
                except Exception as error:  # of the executor: it lost its workers or its scheduler
                    raise GlassnetsError(
                        f"expected a worker to finish {task.stage}, got: {_said(error)}; what is "
                        "done is kept, and the same command goes on from there"
                    ) from error
                bar.update()
        except BaseException:
            self._keep_done(futures, limits)
            raise
        if broken is not None:
            raise broken

    def _keep_done(
        self, futures: Mapping["Future[Outcome]", Task], limits: Mapping[Task, Limits | None]
    ) -> None:
        for future, task in futures.items():
            if future.done() and not future.cancelled() and future.exception() is None:
                with suppress(GlassnetsError):  # the first one is said
                    self.outcomes.put(task, limits[task], future.result())


def _said(error: Exception) -> str:
    if isinstance(error, CancelledError):
        return "that its scheduler went away"
    return " ".join(f"{type(error).__name__} {error}".split())[:200]
