"""Workers that compute nothing: what a network comes to is a formula of its overrides."""

import contextlib
from concurrent.futures import ThreadPoolExecutor

import pytest

from glassnets.sweeps.driver import Driver
from glassnets.sweeps.outcomes import Outcomes
from glassnets.sweeps.plan import Cell, Plan
from glassnets.sweeps.tasks import Outcome, Places

EPOCHS = 5


def history(task):
    """Losses that fall towards what is lowest for the rate 0.01; the seed adds a little."""
    values = dict(each.split("=", 1) for each in task.overrides)
    rate = float(values.get("digits.cnn.training.learning_rate", 0.01))
    seed = int(values["++digits.seeds"].strip("[]"))
    losses = [abs(rate - 0.01) + 0.001 * seed + 1 / epoch for epoch in range(1, EPOCHS + 1)]
    return {"val_loss": losses, "val_accuracy": [1 - loss / 2 for loss in losses]}


def trained(task, places, limits=None):
    """What `tasks.run` gives, at once."""
    columns = history(task)
    epoch = limits.exceeded(columns[limits.column]) if limits else None
    outputs = {} if epoch else {"models/digits/cnn": task.digest}
    return Outcome(outputs, {name: values[:epoch] for name, values in columns.items()})


@pytest.fixture
def make_driver(tmp_path):
    """``make_driver(run=…, workers=…, folder=…, open=…)``: a driver whose outcomes lie there."""

    def make(run=trained, workers=1, folder="outcomes", open=None):
        def opened():
            return ThreadPoolExecutor(workers) if open is None else open()

        places = Places("repository", "remote")
        return Driver(opened, places, Outcomes(tmp_path / folder), run)

    return make


@pytest.fixture
def plan():
    settings = tuple((f"digits.cnn.training.learning_rate={rate}",) for rate in (0.001, 0.01, 0.1))
    return Plan("c0ffee", "train", (Cell("digits", "cnn"),), settings, (0, 1))


@pytest.fixture
def opened_once():
    """``opened_once(executor)``: what gives that executor."""
    return lambda executor: lambda: contextlib.nullcontext(executor)
