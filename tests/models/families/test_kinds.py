"""Every family reads every kind of data, and padded steps of a series change nothing."""

import numpy as np
import pytest

from glassnets import registry, runtime
from glassnets.attribution.methods import METHODS, explain
from glassnets.attribution.network import Explained
from glassnets.config.schema import Additive, Training
from glassnets.models import additive, families, training
from glassnets.models.layers import Standardization, standardize

FAMILIES = registry.names(registry.FAMILIES)
KINDS = {
    "rgb": ("image", (8, 8, 3), False),
    "table": ("table", (1, 5, 3), False),
    "series": ("series", (1, 12, 2), False),
    "masked": ("series", (1, 12, 3), True),
}
NETWORKS = {
    "feedforward": {"units": (8,), "batch_normalization": None, "dropout": 0.0},
    "lstm": {
        "sequence": "players",
        "units": (6,),
        "bidirectional": True,
        "kernel_initializer": "glorot_uniform",
        "head": "last",
        "dropout": 0.0,
    },
    "cnn": {
        "filters": ((4,), (6,)),
        "kernel_size": 3,
        "padding": "same",
        "head": "average",
        "units": (),
        "batch_normalization": None,
        "dropout": 0.0,
    },
    "attention": {
        "patch_size": 1,
        "stride": 1,
        "width": 8,
        "heads": 2,
        "blocks": 1,
        "mlp_width": 8,
        "layer_normalization": True,
        "head": "average",
        "dropout": 0.0,
        "projection": "own",
    },
    "spiking": {"units": (16,), "steps": 8, "decay": 0.9, "slope": 5.0, "dropout": 0.0},
}


HOW = Training(
    epochs=40,
    batch_size=40,
    learning_rate=0.02,
    schedule="constant",
    warmup_epochs=0,
    weight_decay=0,
    label_smoothing=0,
    ema_momentum=0,
)


@pytest.fixture(autouse=True)
def _seeded(tensorflow):
    runtime.set_seed(0)


def build(family, name, **changes):
    kind, shape, masked = KINDS[name]
    network = registry.member(registry.FAMILIES, family).Network(**NETWORKS[family] | changes)
    return families.build(family, network, shape, 3, kind, masked)


def inputs(name, count=40):
    kind, shape, masked = KINDS[name]
    rng = np.random.default_rng(0)
    if kind == "image":
        return rng.integers(0, 256, (count, *shape)).astype(np.uint8)
    x = rng.normal(100, 20, (count, *shape)).astype(np.float32)
    if kind == "table":
        x[:, 0, 1] = np.eye(3)[rng.integers(3, size=count)]
    if masked:
        x[..., -1] = 1
        x[:, 0, 8:] = 0
    return x


@pytest.mark.release
@pytest.mark.parametrize(
    ("family", "name"),
    [
        *(("cnn", "rgb"), ("lstm", "series"), ("lstm", "masked"), ("attention", "masked")),
        *(pytest.param(family, "table", marks=pytest.mark.release) for family in FAMILIES),
    ],
)
def test_a_family_learns_every_kind(family, name):
    model, activations = build(family, name)
    x = inputs(name)
    labels = (x[:, 0, 0, 0] > np.median(x[:, 0, 0, 0])).astype(np.uint8)
    part = {"images": x, "labels": labels}
    history = training.fit(model, part, part, HOW, 0, lambda _: None, lambda *_: None)
    assert history["val_accuracy"].max() > 0.9
    assert families.predict(model, x).shape == (40, 3)
    assert {"logits", "penultimate"} <= activations.keys()


@pytest.mark.parametrize("family", ["lstm", "attention"])
def test_padded_steps_change_nothing(family):
    model, _ = build(
        family, "masked", **({"projection": "shared"} if family == "attention" else {})
    )
    x = inputs("masked")
    standardize(model, x)
    before = families.predict(model, x)
    x[:, 0, 8:, :2] = 1e3  # what stands in a padded step is not read
    np.testing.assert_allclose(families.predict(model, x), before, atol=1e-5)
    x[:, 0, 3, :2] += 50
    assert np.abs(families.predict(model, x) - before).max() > 1e-3


def test_the_columns_of_a_table_have_a_mean_and_a_deviation_each(tensorflow):
    model, _ = build("feedforward", "table")
    x = inputs("table")
    x[:, 0, 4] = 7  # constant
    standardize(model, x)
    layer = model.get_layer("scale")
    scaled = np.asarray(layer(x))
    np.testing.assert_allclose(scaled[:, 0, [0, 2, 3]].mean(axis=0), 0, atol=1e-5)
    np.testing.assert_allclose(scaled[:, 0, [0, 2, 3]].std(axis=0), 1, atol=1e-5)
    np.testing.assert_array_equal(scaled[:, 0, 1], x[:, 0, 1])  # levels of a category
    assert np.isfinite(scaled).all()


def test_the_channels_of_a_series_have_one_mean_for_all_steps_that_are_there(tensorflow):
    layer = Standardization(by_player=False, masked=True)
    x = inputs("masked")
    layer.build(x.shape)
    model = type("Model", (), {"layers": [layer]})
    standardize(model, x)
    scaled = np.asarray(layer(x))
    np.testing.assert_allclose(scaled[:, 0, :8, :2].mean(axis=(0, 1)), 0, atol=1e-5)
    np.testing.assert_array_equal(scaled[:, 0, 8:], 0)
    np.testing.assert_array_equal(scaled[..., 2], x[..., 2])


@pytest.mark.parametrize("name", KINDS)
def test_the_additive_network_adds_up_on_every_kind(name):
    kind, shape, masked = KINDS[name]
    options = Additive(patch_size=2, units=(5,), training=HOW)
    model = additive.build(shape, 3, options, kind, masked)
    x = inputs(name).astype(np.float32)
    standardize(model, x)
    each = additive.contributions(model, x)
    _, bias = model.get_layer(additive.LOGITS).get_weights()
    logits = np.asarray(model(x, training=False))
    np.testing.assert_allclose(each.sum(axis=1) + bias, logits, rtol=1e-4, atol=1e-4)
    changed = x.copy()
    changed[:, 0, 0] = x[::-1, 0, 0]
    moved = np.abs(additive.contributions(model, changed) - each).max(axis=(0, 2)) > 1e-6
    assert moved.sum() == 1  # of the patch of the player alone


@pytest.mark.release
@pytest.mark.parametrize(("family", "name"), [("attention", "masked"), ("lstm", "table")])
def test_a_familys_network_is_explained_by_all_methods_that_are_defined(family, name):
    model, activations = build(family, name)
    kind, shape, masked = KINDS[name]
    x = inputs(name)
    standardize(model, x)
    network = Explained(model, activations, x, np.arange(40) % 3, kind=kind, masked=masked)
    small = {"patch_size": 1, "stride": 1, "coalitions": 300, "draws": 2, "steps": 2, "grids": 2}
    small |= {"masks": 40, "grid": 2}
    defined = set()
    for method in METHODS.values():
        if method.lacks(network) is None:
            options = {key: small[key] for key in method.options.model_fields if key in small}
            maps = explain(method.name, network, x[:4], np.arange(4) % 3, **options)
            assert maps.shape == (4, *shape[:2]), method.name
            assert np.isfinite(maps).all(), method.name
            defined.add(method.name)
    own = "attention_rollout" if family == "attention" else "temporal_saliency_rescaling"
    assert {
        own,
        "occlusion",
        "kernel_shap",
        "integrated_gradients",
        "nearest_other_class",
    } <= defined
    assert ("rise" in defined) == (kind != "table")
