"""Hands tasks to an executor, until each has its outcome."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, as_completed
from contextlib import AbstractContextManager, ExitStack
from typing import NoReturn

from tqdm import tqdm

from glassnets.errors import GlassnetsError
from glassnets.sweeps import tasks
from glassnets.sweeps.outcomes import Outcomes
from glassnets.sweeps.tasks import Outcome, Places, StageError, Task
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
        end again and again, or cannot run tasks at all; outcomes so far are kept.
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
                except BrokenExecutor as error:
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
        broken: BrokenExecutor | None = None
        for future in as_completed(futures):
            task = futures[future]
            try:
                self.outcomes.put(task, limits[task], future.result())
            except StageError as error:
                failed[task] = str(error)
            except BrokenExecutor as error:
                broken = error  # others may have been done before
                continue
            except GlassnetsError:
                raise
            except Exception as error:  # of the executor: it lost its workers or its scheduler
                said = " ".join(f"{type(error).__name__} {error}".split())[:200]
                raise GlassnetsError(
                    f"expected a worker to finish {task.stage}, got: {said}; what is done is kept, "
                    "and the same command goes on from there"
                ) from error
            bar.update()
        if broken is not None:
            raise broken
