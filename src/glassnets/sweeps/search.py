"""A search for the best recipe of a cell, by Optuna: ask and tell, in batches of a fixed size.

What a batch is asked depends on the batches before it and on the seed, so trials, their order and
the best one are the same however many workers there are. Nothing is kept of a search but what its
trainings came to: one that was stopped is asked for the same trials again, and finds those done.

Pruning: a trial's first network is stopped at the end of the first epoch at which its best value so
far is worse than the median of the earlier trials' there, as Optuna's MedianPruner does it; its
other seeds are then not trained. Time decides nothing.
"""

import statistics
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import matplotlib
import numpy as np
import optuna
import pandas as pd
from matplotlib.figure import Figure
from optuna.distributions import BaseDistribution
from optuna.trial import FrozenTrial, TrialState
from optuna.visualization import matplotlib as plots
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError

from glassnets.errors import GlassnetsError
from glassnets.sweeps import space, tables
from glassnets.sweeps.driver import Driver
from glassnets.sweeps.outcomes import Outcomes
from glassnets.sweeps.plan import Cell, Plan, Setting
from glassnets.sweeps.tasks import Task
from glassnets.tracking.epochs import Limits

optuna.logging.set_verbosity(optuna.logging.WARNING)

OBJECTIVES = {"val_loss": 1, "val_accuracy": -1}  # 1 where low values are good


class Search(NamedTuple):
    """commit, cell, seeds: of the networks. space: distributions by key. fixed: overrides of every
    trial. objective: one of `OBJECTIVES`, at the epoch of lowest validation loss, mean over seeds.
    trials: how many; batch: how many of them are asked for at a time. startup: trials before a
    median counts and the sampler models anything. prune: whether trainings are stopped.
    random_state: of the sampler.
    """

    commit: str
    cell: Cell
    seeds: tuple[int, ...]
    space: Mapping[str, BaseDistribution]
    fixed: tuple[str, ...]
    objective: str
    trials: int
    batch: int
    startup: int
    prune: bool
    random_state: int

    def setting(self, values: Mapping[str, Any]) -> Setting:
        """The overrides of a trial of these values."""
        return (*self.fixed, *space.overrides(values))

    def plan(self, values: Mapping[str, Any]) -> Plan:
        """The trainings of a trial of these values, as a sweep of one setting."""
        return Plan(self.commit, "train", (self.cell,), (self.setting(values),), self.seeds)

    def tasks(self, values: Mapping[str, Any]) -> list[Task]:
        """The trainings of a trial, one a seed."""
        return self.plan(values).tasks()


def run(search: Search, driver: Driver) -> optuna.Study:
    """Runs what of a search is not done yet; its study, in memory, every trial told. A trial whose
    training fails is FAIL. Raises GlassnetsError where workers cannot run."""
    low = OBJECTIVES[search.objective] == 1
    study = optuna.create_study(direction="minimize" if low else "maximize")
    for first in range(0, search.trials, search.batch):
        asked = []
        for number in range(first, min(first + search.batch, search.trials)):
            # A sampler for each trial, so that what it draws depends on nothing but the trials.
            study.sampler = optuna.samplers.TPESampler(
                seed=int(
                    np.random.SeedSequence((search.random_state, number)).generate_state(1)[0]
                ),
                n_startup_trials=search.startup,
                multivariate=True,
                constant_liar=True,
            )
            asked.append(study.ask({**search.space}))
        limits = medians(search, study.get_trials(deepcopy=False))
        tasks = {trial.number: search.tasks(trial.params) for trial in asked}
        failed = driver.finish({own[0]: limits for own in tasks.values()})
        lasting = [
            task
            for own in tasks.values()
            if own[0] not in failed and not _stopped(driver.outcomes, own[0], limits)
            for task in own[1:]
        ]
        failed |= driver.finish(dict.fromkeys(lasting))
        for trial in asked:
            _tell(study, trial, search, tasks[trial.number], driver.outcomes, limits, failed)
    return study


def medians(search: Search, trials: Sequence[FrozenTrial]) -> Limits | None:
    """The limits that trials before set: at each epoch the median of the values there of those that
    were not stopped. None before `startup` of them are complete."""
    complete = [trial for trial in trials if trial.state == TrialState.COMPLETE]
    if not search.prune or len(complete) < search.startup:
        return None
    curves = [trial.intermediate_values for trial in complete]
    epochs = range(2, max(map(len, curves)) + 1)  # the first says more of the seed than of a recipe
    values = (statistics.median(c[e] for c in curves if e in c) for e in epochs)
    return Limits(search.objective, OBJECTIVES[search.objective], (None, *values))


def _stopped(outcomes: Outcomes, task: Task, limits: Limits | None) -> bool:
    outcome = outcomes.get(task, limits)
    return outcome is not None and not outcome.outputs


def _tell(
    study: optuna.Study,
    trial: optuna.Trial,
    search: Search,
    tasks: Sequence[Task],
    outcomes: Outcomes,
    limits: Limits | None,
    failed: Mapping[Task, str],
) -> None:
    """Tells the study what a trial came to: the first network's values by epoch, and the mean over
    networks of the value at the kept epoch."""
    if errors := [failed[task] for task in tasks if task in failed]:
        trial.set_user_attr("error", errors[0])
        study.tell(trial, state=TrialState.FAIL)
        return
    own = [outcomes.get(tasks[0], limits), *(outcomes.get(task) for task in tasks[1:])]
    first = own[0]
    if first is None:
        raise GlassnetsError(f"expected an outcome of {tasks[0].stage}, got none")
    for epoch, value in enumerate(first.history[search.objective], 1):
        trial.report(value, epoch)
    if not first.outputs:
        trial.set_user_attr("stopped_after", len(first.history[search.objective]))
        study.tell(trial, state=TrialState.PRUNED)
        return
    values = [tables.of_kept_epoch(each)[search.objective] for each in own if each is not None]
    trial.set_user_attr("by_seed", values)
    study.tell(trial, statistics.fmean(values))


def keep(study: optuna.Study, name: str, storage: str) -> None:
    """Puts the trials of a study into a database, for Optuna's own tools, after those that it has
    of the name. storage: a URL, as sqlite:///study.db. Raises GlassnetsError where the database
    cannot be used or has other trials of the name."""
    with _database(storage):
        kept = optuna.create_study(
            study_name=name, storage=storage, load_if_exists=True, direction=study.direction
        )
        before, trials = kept.get_trials(deepcopy=False), study.get_trials(deepcopy=False)
        if any(_content(a) != _content(b) for a, b in zip(before, trials, strict=False)):
            raise GlassnetsError(
                f"expected the first {len(before)} trials of {name} at {_shown(storage)} to be "
                "these, got others: name another database"
            )
        kept.add_trials(trials[len(before) :])


def check_storage(storage: str) -> None:
    """Raises GlassnetsError where a database cannot be used; before a search, not after it."""
    with _database(storage):
        optuna.storages.get_storage(storage)


@contextmanager
def _database(storage: str) -> Iterator[None]:
    try:
        yield
    except (SQLAlchemyError, optuna.exceptions.OptunaError, ImportError, ValueError) as error:
        said = " ".join(str(error).split())[:200]
        raise GlassnetsError(f"expected a database at {_shown(storage)}, got: {said}") from error


def _shown(storage: str) -> str:
    """A URL without its password."""
    try:
        shown: str = make_url(storage).render_as_string(hide_password=True)
    except ArgumentError:
        return "a URL as sqlite:///study.db"
    return shown


def _content(trial: FrozenTrial) -> tuple[Any, ...]:
    return trial.state, trial.params, trial.values, trial.intermediate_values, trial.user_attrs


def pictures(search: Search, study: optuna.Study) -> dict[str, Figure]:
    """Optuna's own pictures of a study, by name: values trial by trial, the curves, values against
    each key, and how much each key matters. Those that the trials are too few for are left out."""
    study = _with_short_keys(study)
    complete = [t for t in study.get_trials(deepcopy=False) if t.state == TrialState.COMPLETE]
    value = search.objective
    evaluator = optuna.importance.FanovaImportanceEvaluator(seed=0)
    drawn: dict[str, Callable[[], Any]] = {"curves": lambda: plots.plot_intermediate_values(study)}
    if complete:
        drawn["history"] = lambda: plots.plot_optimization_history(study, target_name=value)
        drawn["slice"] = lambda: plots.plot_slice(study, target_name=value)
    if len({trial.value for trial in complete}) > 1:
        drawn["importances"] = lambda: plots.plot_param_importances(
            study, evaluator=evaluator, target_name=value
        )
    figures = {}
    with warnings.catch_warnings(), matplotlib.rc_context({"figure.figsize": (10, 5)}):
        warnings.simplefilter("ignore")  # experimental; a single value has no range
        for name, draw in drawn.items():
            axes = np.ravel(draw())[0]
            if name == "curves":
                axes.set(xlabel="epoch", ylabel=value)
                if legend := axes.get_legend():
                    legend.remove()  # it would name every trial
            if name != "slice":  # whose colour bar has a place of its own
                axes.figure.set_layout_engine("constrained")
            figures[name] = axes.figure
    return figures


def _with_short_keys(study: optuna.Study) -> optuna.Study:
    """A study with as much of each key as tells it from the others: learning_rate."""
    trials = study.get_trials(deepcopy=False)
    keys = {key for trial in trials for key in trial.params}

    def shortened(key: str) -> str:
        parts = key.split(".")
        ends = (".".join(parts[-n:]) for n in range(1, len(parts) + 1))
        return next(e for e in ends if sum(f".{k}".endswith(f".{e}") for k in keys) == 1)

    short = {key: shortened(key) for key in keys}
    copied = optuna.create_study(direction=study.direction)
    for trial in trials:
        copied.add_trial(
            optuna.trial.create_trial(
                state=trial.state,
                value=None if trial.state != TrialState.COMPLETE else trial.value,
                params={short[key]: value for key, value in trial.params.items()},
                distributions={short[key]: d for key, d in trial.distributions.items()},
                intermediate_values=trial.intermediate_values,
            )
        )
    return copied


def table(search: Search, study: optuna.Study) -> pd.DataFrame:
    """A row a trial: number, from 0; state, complete, pruned or fail; value and its standard
    deviation over seeds; stopped_after, in epochs; its values by key; error."""
    rows: list[dict[str, Any]] = []
    for trial in study.get_trials(deepcopy=False):
        by_seed = trial.user_attrs.get("by_seed", [])
        rows.append(
            {
                "trial": trial.number,
                "state": trial.state.name.lower(),
                search.objective: trial.value if by_seed else float("nan"),
                "sd": statistics.stdev(by_seed) if len(by_seed) > 1 else float("nan"),
                "stopped_after": trial.user_attrs.get("stopped_after", ""),
                **trial.params,
                "error": trial.user_attrs.get("error", ""),
            }
        )
    return pd.DataFrame(rows)
