"""In made tables and series whose evidence is known, methods find it and controls do not."""

import numpy as np
import pytest

from glassnets import registry, runtime
from glassnets.attribution.methods import CONTROLS, METHODS, explain
from glassnets.attribution.metrics.localization import average_precision
from glassnets.attribution.network import Explained
from glassnets.config.schema import Training
from glassnets.models import families, training

pytestmark = pytest.mark.release  # for the minutes that all of these take together

ROWS, EXPLAINED = 900, 120
HOW = Training(
    epochs=25,
    batch_size=32,
    learning_rate=0.01,
    schedule="cosine",
    warmup_epochs=1,
    weight_decay=0.01,
    label_smoothing=0,
    ema_momentum=0,
)
FOUND = ("integrated_gradients:mean", "kernel_shap:mean", "occlusion:mean", "kernel_shap:draws")


def table(rng):
    """Ten columns in units of their own, of which a category and a number decide."""
    x = np.zeros((ROWS, 1, 10, 3), np.float32)
    x[:, 0, :, 0] = rng.normal(0, 10.0 ** rng.integers(-2, 3, 10), (ROWS, 10))
    # Each level and each half alone says nothing of the label.
    level, other = rng.choice(3, p=[0.25, 0.5, 0.25], size=(2, ROWS))
    x[:, 0, 3], x[:, 0, 8] = np.eye(3)[level], np.eye(3)[other]
    x[:, 0, 6, 0] = rng.normal(500, 20, ROWS)
    labels = (level == 1) ^ (x[:, 0, 6, 0] > 500)
    evidence = np.zeros((ROWS, 10), bool)
    evidence[:, [3, 6]] = True
    return x, labels, evidence


def series(rng):
    """Forty steps of noise, in which a rise or a fall of four steps lies anywhere, and as high a
    rise or fall in the other channel, which says nothing."""
    x = rng.normal(0, 0.3, (ROWS, 1, 40, 2)).astype(np.float32)
    labels, starts = rng.integers(2, size=ROWS), rng.integers(0, 36, ROWS)
    evidence = np.zeros((ROWS, 40), bool)
    for row, label, start, marked in zip(x, labels, starts, evidence, strict=True):
        row[0, start : start + 4, 0] += [-2, -1, 1, 2] if label else [2, 1, -1, -2]
        decoy, sign = rng.integers(36), rng.choice([-1, 1])
        row[0, decoy : decoy + 4, 1] += sign * np.array([-2, -1, 1, 2])
        marked[start : start + 4] = True
    return x, labels, evidence


@pytest.fixture(
    scope="module",
    params=[
        (table, "table", "feedforward", {"units": (64, 32)}),
        (series, "series", "cnn", {"filters": ((16,), (32,))}),
    ],
    ids=["table", "series"],
)
def planted(request, tensorflow):
    made, kind, family, shape = request.param
    x, labels, evidence = made(np.random.default_rng(0))
    labels = labels.astype(np.uint8)
    common = {"batch_normalization": None, "dropout": 0.0}
    if family == "cnn":
        common |= {"kernel_size": 5, "padding": "same", "head": "average", "units": ()}
    network = registry.member(registry.FAMILIES, family).Network(**shape, **common)
    runtime.set_seed(0)
    model, activations = families.build(family, network, x.shape[1:], 2, kind)
    train, test = (
        {"images": x[part], "labels": labels[part]} for part in (slice(700), slice(700, None))
    )
    training.fit(model, train, test, HOW, 0, lambda _: None, lambda *_: None)
    explained = Explained(model, activations, train["images"], train["labels"], kind=kind)
    right = families.predict(model, test["images"]).argmax(axis=1) == test["labels"]
    assert right.mean() > 0.95
    chosen = np.flatnonzero(right)[:EXPLAINED]
    return explained, test["images"][chosen], test["labels"][chosen], evidence[700:][chosen]


def precision(planted, name):
    network, x, y, evidence = planted
    options = {"patch_size": 1, "stride": 1, "coalitions": 400, "draws": 5, "steps": 20}
    known = METHODS[name.partition(":")[0]].options.model_fields
    maps = explain(name, network, x, y, **{key: options[key] for key in options if key in known})
    return average_precision(maps.reshape(len(maps), -1).astype(np.float64), evidence)


def test_methods_find_the_evidence_and_controls_do_not(planted):
    network = planted[0]
    of_controls = {  # in the same setting: of the mean, where they take a reference
        name: precision(planted, f"{name}:mean" if METHODS[name].references else name)
        for name in CONTROLS
        if METHODS[name].lacks(network) is None
    }
    assert len(of_controls) >= 5
    best = max(of_controls, key=lambda name: of_controls[name].mean())
    for name in FOUND:
        own = precision(planted, name)
        difference = own - of_controls[best]
        low = difference.mean() - 3 * difference.std() / np.sqrt(len(difference))
        assert low > 0.1, (name, best, own.mean(), of_controls[best].mean())
