"""Methods, references and removals on every kind of data: RGB images, tables, series."""

import numpy as np
import pytest

from glassnets.attribution.channels import METHODS_BY_CHANNEL, by_channel
from glassnets.attribution.methods import METHODS, explain
from glassnets.attribution.metrics import METRICS, Judged
from glassnets.attribution.metrics.removal import Filling, without
from glassnets.attribution.network import Explained
from glassnets.attribution.references import REMOVALS, fills
from glassnets.errors import GlassnetsError

pytestmark = pytest.mark.usefixtures("tensorflow")

# Shapes of inputs: a table of four columns, of which one is a category of three levels; a series of
# two channels; and one whose lengths differ, which a third channel says.
KINDS = {
    "rgb": ("image", (6, 5, 3), False),
    "table": ("table", (1, 4, 3), False),
    "series": ("series", (1, 7, 2), False),
    "masked": ("series", (1, 7, 3), True),
}
CLASSES = 3


def inputs(name: str, count: int, seed: int = 0):
    kind, shape, masked = KINDS[name]
    rng = np.random.default_rng(seed)
    if kind == "image":
        return rng.integers(0, 256, (count, *shape)).astype(np.uint8)
    x = rng.normal(0, 3, (count, *shape)).astype(np.float32)
    if kind == "table":
        x[..., 1:] = 0
        x[:, 0, 2] = np.eye(3)[rng.integers(3, size=count)]
        x[:, 0, 0, 0] *= 1000  # a column in other units
    if masked:
        x[..., -1] = 1
        for row, length in zip(x, rng.integers(3, 8, count), strict=True):
            row[0, length:] = 0
    return x


@pytest.fixture(params=KINDS)
def linear(request):
    """A linear model of every kind, f_c(x) = Σ w_c x, its weights, and inputs of it."""
    import keras

    kind, shape, masked = KINDS[request.param]
    model = keras.Sequential(
        [keras.Input(shape), keras.layers.Flatten(), keras.layers.Dense(CLASSES)]
    )
    train = inputs(request.param, 40, seed=1)
    scale = np.maximum(np.ptp(train.astype(np.float64), axis=0), 1)
    weights = np.random.default_rng(2).normal(size=(*shape, CLASSES)) / scale[..., np.newaxis]
    model.set_weights([weights.reshape(-1, CLASSES).astype(np.float32), np.zeros(CLASSES)])
    labels = np.arange(40) % CLASSES
    network = Explained(model, {}, train, labels, kind=kind, masked=masked)
    return network, weights, inputs(request.param, 5), np.arange(5) % CLASSES


@pytest.mark.parametrize("reference", ["black", "mean", "blur", "draws"])
@pytest.mark.parametrize(
    ("method", "options"),
    [
        ("gradient_x_input", {"draws": 6}),
        ("integrated_gradients", {"steps": 6}),
        ("occlusion", {"patch_size": 1, "stride": 1, "draws": 6}),
        ("kernel_shap", {"patch_size": 1, "coalitions": 300, "draws": 6}),
    ],
)
def test_a_linear_models_players_count_for_weight_times_difference(
    linear, method, options, reference
):
    network, weights, x, y = linear
    if reference == "blur" and network.kind == "table":
        with pytest.raises(GlassnetsError, match="players in an order"):
            explain(f"{method}:{reference}", network, x, y, **options)
        return
    draws = options.get("draws", options.get("steps"))
    fill = fills(network, x.astype(np.float32), reference, draws, 0)
    difference = x[:, np.newaxis] - fill.astype(np.float64)  # (n, d, h, w, c)
    truth = np.einsum("ndhwc,hwcn->nhw", difference, weights[..., y]) / difference.shape[1]
    maps = explain(f"{method}:{reference}", network, x, y, **options)
    # A coalition's value is a float32 sum over all players, so errors scale with the largest.
    assert np.abs(maps - truth).max() < 1e-5 * max(1, np.abs(truth).max())


@pytest.mark.parametrize("method", METHODS_BY_CHANNEL)
def test_the_parts_of_channels_sum_to_the_map(linear, method):
    network, weights, x, y = linear
    parts = explain(method, by_channel(network), x, y)
    assert parts.shape == x.shape
    maps = explain(method, network, x, y)
    np.testing.assert_allclose(parts.sum(axis=-1), maps, atol=1e-5 * np.abs(maps).max())
    if method == "integrated_gradients":  # black: each channel by its weight times its difference
        difference = x - fills(network, x.astype(np.float32), "black", 1, 0)[:, 0]
        truth = difference * np.moveaxis(weights[..., y], -1, 0)
        np.testing.assert_allclose(parts, truth, atol=1e-5 * np.abs(truth).max())


def test_every_method_gives_a_number_to_each_player(linear):
    network, _, x, y = linear
    small = {"masks": 40, "grid": 2, "patch_size": 1, "stride": 1, "coalitions": 300, "grids": 2}
    small |= {"draws": 2, "steps": 2}
    defined = 0
    for name, method in METHODS.items():
        options = {key: small[key] for key in method.options.model_fields if key in small}
        if method.lacks(network) is None and (name != "rise" or network.image_shape[0] == 1):
            maps = explain(name, network, x, y, **options)
            assert maps.shape == (5, *network.image_shape), name
            assert maps.dtype == np.float32, name
            assert np.isfinite(maps).all(), name
            defined += 1
    assert defined >= 10


@pytest.mark.parametrize("by", REMOVALS)
def test_a_removal_changes_the_removed_players_alone(linear, by):
    network, _, x, _ = linear
    if network.kind == "table" and by in ("blur", "noisy_linear"):
        return  # refused by params.yaml: see tests/config
    removed = np.zeros((2, *network.image_shape), bool)
    removed[0, 0, 1] = removed[1] = True
    image = x[0].astype(np.float32)
    changed = without(image, removed, by, Filling(network, 0.01, 2, 0))
    assert changed.shape == (2 if by == "draws" else 1, 2, *network.input_shape)
    for each in changed[:, 0]:
        np.testing.assert_array_equal(each[~removed[0]], image[~removed[0]])
    assert (changed[:, 0, 0, 1] != image[0, 1]).any()


def test_padded_steps_stay_what_they_are():
    import keras

    model = keras.Sequential(
        [keras.Input((1, 7, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    train = inputs("masked", 40, seed=1)
    network = Explained(model, {}, train, kind="series", masked=True)
    x = inputs("masked", 6)
    padded = x[..., -1] == 0
    assert padded.any()
    for reference in ("black", "mean", "blur", "draws"):
        fill = fills(network, x, reference, 3, 0)
        for drawn in np.moveaxis(fill, 1, 0):
            np.testing.assert_array_equal(drawn[padded], x[padded])
            assert (drawn[~padded][:, -1] == 1).all()
        for method in ("integrated_gradients", "occlusion", "kernel_shap"):
            options = {} if method == "integrated_gradients" else {"patch_size": 1}
            options |= {"stride": 1} if method == "occlusion" else {}
            maps = explain(f"{method}:{reference}", network, x, np.zeros(6, int), **options)
            assert np.abs(maps[padded]).max() < 1e-5 * np.abs(maps).max()
    # The mean is of the steps that are there.
    there = train[..., -1] == 1
    means = [train[there[:, 0, t], 0, t, 0].mean() for t in range(7)]
    np.testing.assert_allclose(network.mean_image[0, :, 0], means, rtol=1e-5)


def test_metrics_judge_every_kind(linear):
    network, weights, x, y = linear
    x = x.astype(np.float32)
    kept = {"removals": ("mean", "draws")} if network.kind == "table" else {}
    fill = fills(network, x, "mean", 1, 0)[:, 0]
    true = np.einsum("nhwc,hwcn->nhw", x - fill, weights[..., y])
    maps = {"true": true.astype(np.float32), "reversed": -true.astype(np.float32)}
    judged = Judged(network, x, y.astype(np.int32), maps, lambda name, *_: maps[name])
    for name, options in (
        ("deletion_insertion", {"steps": 8, **kept}),
        ("faithfulness_correlation", {"subsets": 60, "fraction": 0.4, **kept}),
        ("infidelity", {"draws": 40}),
    ):
        metric = METRICS[name]
        scores = metric(judged, metric.options(**options), 0)
        headline = {"deletion_insertion": "insertion_minus_deletion_logit_mean"}.get(name, name)
        best, worst = (scores[which][headline] for which in ("true", "reversed"))
        better = best < worst if name == "infidelity" else best > worst
        assert better.all(), name


def test_a_tables_range_is_taken_from_training_data():
    import keras

    model = keras.Sequential(
        [keras.Input((1, 4, 3)), keras.layers.Flatten(), keras.layers.Dense(2)]
    )
    with pytest.raises(GlassnetsError, match=r"^references: expected training images, by whose"):
        Explained(model, kind="table")
    train = inputs("table", 30)
    span = Explained(model, {}, train, kind="table").span
    assert span[0, 0, 0] == np.ptp(train[:, 0, 0, 0])
    assert (span[0, :2, 1:] == 0).all()
