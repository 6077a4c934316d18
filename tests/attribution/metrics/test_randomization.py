"""Weights that are drawn anew, maps that depend on them and maps that do not."""

import random
from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.stats import spearmanr

from glassnets import registry, runtime
from glassnets.attribution.methods import CONTROLS, Explained
from glassnets.attribution.metrics.randomization import (
    LabelRandomization,
    ParameterRandomization,
    check_changed,
    drawn_at_random,
    groups,
    label_randomization,
    parameter_randomization,
    rank_correlations,
    ranked,
    redrawn,
)
from glassnets.errors import GlassnetsError
from glassnets.models import families

FAMILIES = registry.names(registry.FAMILIES)
# Weights that every layer starts from constants.
CONSTANT = {"bias", "beta", "gamma", "moving_mean", "moving_variance"}


def correlations(maps, others):
    maps, others = (np.asarray(a, np.float32) for a in (maps, others))
    return rank_correlations(ranked(maps), ranked(others))


def dense(**options):
    """A network of one layer from 8×8 pixels to 3 logits."""
    import keras

    images = keras.Input((8, 8))
    flat = keras.layers.Flatten()(images)
    return keras.Model(images, keras.layers.Dense(3, name="logits", **options)(flat))


def parameter(judged, seed=0, **options):
    return parameter_randomization(judged, ParameterRandomization(**options), seed)


# Rank correlation


@given(
    st.tuples(st.integers(1, 3), st.integers(2, 4), st.integers(2, 4)).flatmap(
        lambda shape: st.tuples(
            *[arrays(np.float32, shape, elements=st.integers(-3, 3).map(float))] * 2
        )
    )
)
def test_the_correlation_is_spearmans(pair):
    result = correlations(*pair)
    for kind, (maps, others) in zip(result, [pair, map(np.abs, pair)], strict=True):
        for value, a, b in zip(kind, maps, others, strict=True):
            if np.ptp(a) == 0 or np.ptp(b) == 0:
                assert value == (a == b).all()
            else:
                assert value == pytest.approx(spearmanr(a.ravel(), b.ravel()).statistic)


def test_a_reversed_and_a_negated_map():
    rising = np.arange(1, 10).reshape(1, 3, 3)
    assert correlations(rising, rising[:, ::-1, ::-1]).tolist() == [[-1], [-1]]
    assert correlations(rising, -rising).tolist() == [[-1], [1]]
    assert correlations(rising, 7 * rising - 6).tolist() == [[1], [1]]


def test_a_constant_map_has_correlation_1_with_itself_and_0_with_others():
    zero, one, rising = np.zeros((1, 2, 2)), np.ones((1, 2, 2)), np.arange(4).reshape(1, 2, 2)
    assert correlations(zero, zero).tolist() == [[1], [1]]
    assert correlations(zero, one).tolist() == [[0], [0]]
    assert correlations(rising, zero).tolist() == [[0], [0]]
    assert correlations(one, -one).tolist() == [[0], [1]]


# Weights drawn anew


@pytest.mark.parametrize("name", FAMILIES)
def test_every_weight_with_a_random_initialiser_differs_and_every_constant_starts_again(
    family, name
):
    model = family(name).model
    drawn_before = False
    for layer, fresh, at_random in zip(
        model.layers, redrawn(model, 1), drawn_at_random(model), strict=True
    ):
        for weight, value, drawn in zip(layer.weights, fresh, at_random, strict=True):
            assert value.shape == weight.shape
            assert drawn == (weight.name not in CONSTANT)
            drawn_before |= drawn
            if drawn:
                assert (np.asarray(weight) != value).mean() > 0.9
            elif "lstm" in weight.path:  # a forget gate that starts open
                assert value.reshape(4, -1).mean(axis=1).tolist() == [0, 1, 0, 0]
            else:
                ones = weight.name in ("gamma", "moving_variance")
                assert (value == ones).all()
    assert drawn_before


@pytest.mark.parametrize("name", FAMILIES)
def test_a_redraw_has_the_spread_of_the_first_draw(parameters, name):
    digits = parameters.dataset("digits")
    runtime.set_seed(0)
    built, _ = families.build(name, digits.family(name).network, digits.image_shape, digits.classes)
    for layer, fresh in zip(built.layers, redrawn(built, 1), strict=True):
        for weight, value in zip(layer.weights, fresh, strict=True):
            first = np.asarray(weight)
            if weight.name not in CONSTANT and first.size > 500:
                assert value.std() == pytest.approx(first.std(), rel=0.15)
                assert abs(np.corrcoef(first.ravel(), value.ravel())[0, 1]) < 0.2


def test_parts_of_a_layer_are_drawn_apart(family):
    """Query, key and value have one shape and one configuration, and so have two directions."""
    for name, layer in (("attention", "attention_0"), ("lstm", "bidirectional_0")):
        model = family(name).model
        (place,) = [i for i, each in enumerate(model.layers) if each.name == layer]
        drawn = [w for w in redrawn(model, 1)[place] if np.ptp(w) and w.ndim > 1]
        alike = [
            (i, j)
            for i, a in enumerate(drawn)
            for j, b in enumerate(drawn)
            if i < j and a.shape == b.shape and np.array_equal(a, b)
        ]
        assert len(drawn) >= 4
        assert alike == []


@pytest.mark.parametrize("name", FAMILIES)
def test_a_redraw_depends_on_the_seed_alone_and_changes_nothing_else(family, name):
    model = family(name).model
    trained = model.get_weights()
    runtime.set_seed(5)
    one = redrawn(model, 1)
    states = random.getstate(), np.random.get_state()[1].tolist()
    runtime.set_seed(5)
    assert states[0] == random.getstate()
    assert states[1] == np.random.get_state()[1].tolist()
    random.random()
    again = redrawn(model, 1)
    for a, b in zip(chain.from_iterable(one), chain.from_iterable(again), strict=True):
        np.testing.assert_array_equal(a, b)
    for a, b in zip(trained, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_nested_models_and_initialisers_with_a_seed_are_redrawn_too(tensorflow):
    import keras

    inner = keras.Sequential(
        [
            keras.Input((64,)),
            keras.layers.Dense(5, kernel_initializer=keras.initializers.HeNormal(seed=3)),
            keras.layers.Dense(5),
        ]
    )
    images = keras.Input((8, 8))
    model = keras.Model(images, inner(keras.layers.Flatten()(images)))
    place = model.layers.index(inner)
    one, other = redrawn(model, 1)[place], redrawn(model, 2)[place]
    for weight, a, b in zip(inner.weights, one, other, strict=True):
        if weight.name == "kernel":
            assert (a != np.asarray(weight)).all()
            assert (a != b).all()


# Groups


def test_groups_by_hand():
    constant, random_, none = [False, False], [True, False], []
    assert groups([none, random_, none, constant, random_]) == [[4], [1, 3]]
    assert groups([constant, none, random_, constant, constant]) == [[0, 2, 3, 4]]
    with pytest.raises(GlassnetsError, match="drawn at random"):
        groups([none, constant])


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        (
            "feedforward",
            [["logits"], ["dense_1", "normalization_1"], ["dense_0", "normalization_0"]],
        ),
        ("lstm", [["logits"], ["bidirectional_0"]]),
        (
            "cnn",
            [
                ["logits"],
                ["convolution_1_0", "normalization_1_0"],
                ["convolution_0_0", "normalization_0_0"],
            ],
        ),
        (
            "attention",
            [
                ["logits"],
                ["mlp_1_1", "normalization"],
                ["mlp_1_0"],
                ["attention_1", "normalization_1_1"],
                ["mlp_0_1", "normalization_1_0"],
                ["mlp_0_0"],
                ["attention_0", "normalization_0_1"],
                ["tokens", "normalization_0_0"],
            ],
        ),
    ],
)
def test_groups_of_the_families_from_the_logits_down(family, name, expected):
    model = family(name).model
    named = [[model.layers[i].name for i in g] for g in groups(drawn_at_random(model))]
    assert named == expected


# Checks that weights changed


def test_a_redraw_that_changes_nothing_is_refused(family):
    model = family("cnn").model
    at_random = drawn_at_random(model)
    check_changed(model, redrawn(model, 1), at_random)
    same = [layer.get_weights() for layer in model.layers]
    with pytest.raises(GlassnetsError, match="convolution_0_0"):
        check_changed(model, same, at_random)
    # One kernel that stays is enough, though the biases of its layer are new.
    kept = redrawn(model, 1)
    kept[-1][0] = same[-1][0]
    with pytest.raises(GlassnetsError, match="logits"):
        check_changed(model, kept, at_random)


def test_a_network_of_constants_is_refused_and_left_as_it_was(tensorflow, judge, draw_images):
    network = Explained(dense(kernel_initializer="ones"))
    judged = judge(network, draw_images(2), [0, 1], ["gradient"])
    with pytest.raises(GlassnetsError, match="drawn at random"):
        parameter(judged)


def test_an_untrained_layer_is_refused(tensorflow, judge, draw_images):
    """Its redraw equals what it has: nothing would change, and the method would seem to fail."""
    import keras

    images = keras.Input((8, 8))
    x = keras.layers.Dense(3)(keras.layers.Flatten()(images))
    model = keras.Model(images, keras.layers.BatchNormalization(name="untrained")(x))
    judged = judge(Explained(model), draw_images(2), [0, 1], ["gradient"])
    before = model.get_weights()
    with pytest.raises(GlassnetsError, match="'untrained'"):
        parameter(judged)
    for a, b in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


# The metric


def test_maps_that_do_not_depend_on_the_network_have_correlation_1(family, judge, draw_images):
    judged = judge(family("feedforward"), draw_images(4), [0, 1, 2, 3], ["gradient", *CONTROLS])
    scores = parameter(judged, draws=3, images=3)
    for method in CONTROLS:
        assert len(scores[method]) == 7
        for values in scores[method].values():
            assert (values[:3] == 1).all()
            assert np.isnan(values[3]).all()
    assert np.abs(scores["gradient"]["parameter_randomization_signed"][:3]).max() < 0.5


@pytest.mark.parametrize("name", FAMILIES)
def test_gradients_change_and_the_weights_are_restored(family, judge, draw_images, name):
    network = family(name)
    before = network.model.get_weights()
    judged = judge(network, draw_images(3), [0, 1, 2], ["gradient"])
    scores = parameter(judged, draws=2)["gradient"]
    assert np.abs(scores["parameter_randomization_signed"]).mean() < 0.4
    layers = len(groups(drawn_at_random(network.model)))
    assert scores["cascading_randomization_curve_signed"].shape == (3, layers)
    for a, b in zip(before, network.model.get_weights(), strict=True):
        np.testing.assert_array_equal(a, b)


def test_the_scores_are_those_of_a_network_with_these_weights(family, judge, draw_images):
    """Recomputed from a network whose weights are set by hand."""
    network, targets = family("feedforward"), [0, 1, 2]
    judged = judge(network, draw_images(3), targets, ["gradient_x_input"])
    scores = parameter(judged, seed=7, draws=1)["gradient_x_input"]

    model = network.model
    (seed,) = np.random.SeedSequence(7).generate_state(1).tolist()
    fresh, members = redrawn(model, seed), groups(drawn_at_random(model))
    before = judged.maps["gradient_x_input"]

    def redone(layers):
        with judged.other_weights() as model:
            for i in layers:
                model.layers[i].set_weights(fresh[i])
            after = judged.attribute("gradient_x_input", judged.images, judged.targets)
        return correlations(before, after)

    alone = np.array([redone(group) for group in members])
    cascade = np.array([redone(chain.from_iterable(members[: i + 1])) for i in range(len(members))])
    for kind, name in enumerate(("signed", "unsigned")):
        for score, expected in (
            ("parameter_randomization", cascade[-1]),
            ("cascading_randomization", cascade.mean(axis=0)),
            ("independent_randomization", alone.mean(axis=0)),
        ):
            np.testing.assert_allclose(scores[f"{score}_{name}"], expected[kind])
    curve = scores["cascading_randomization_curve_signed"]
    np.testing.assert_allclose(curve, cascade[:, 0].T)
    np.testing.assert_allclose(alone[0], cascade[0])


def test_no_network_is_attributed_twice(family, judge, draw_images):
    calls = []
    judged = judge(family("feedforward"), draw_images(2), [0, 1], ["gradient"])

    def attribute(method, images, targets):
        calls.append(method)
        return images

    parameter(replace(judged, attribute=attribute), draws=2)
    assert len(calls) == 2 * (2 * 3 - 1)


def test_the_end_of_the_cascade_is_judged_on_more_images(family, judge, draw_images):
    judged = judge(family("feedforward"), draw_images(4), [0, 1, 2, 0], ["gradient"])
    few = parameter(judged, draws=2, images=3, cascade_images=1)["gradient"]
    all_ = parameter(judged, draws=2, images=3, cascade_images=3)["gradient"]
    assert few.keys() == all_.keys()
    for score, values in few.items():
        count = 3 if score.startswith("parameter") else 1
        np.testing.assert_allclose(values[:count], all_[score][:count], atol=1e-6)
        assert np.isnan(values[count:]).all()
        assert not np.isnan(values[:count]).any()


def test_the_seed_decides_and_no_score_depends_on_other_images(family, judge, draw_images):
    images, targets = draw_images(3), np.array([0, 1, 2])
    judged = judge(family("cnn"), images, targets, ["gradient"])
    name = "parameter_randomization_signed"
    one, again, other = (parameter(judged, s, draws=1)["gradient"][name] for s in (0, 0, 1))
    assert (one == again).all()
    assert (one != other).all()
    swapped = judge(family("cnn"), images[::-1], targets[::-1], ["gradient"])
    turned = parameter(swapped, draws=1)["gradient"][name]
    np.testing.assert_allclose(turned[::-1], one, atol=1e-3)


# Shuffled labels


def test_without_a_network_that_memorised_there_are_no_scores(family, judge, draw_images):
    judged = judge(family("cnn"), draw_images(2), [0, 1], ["gradient"])
    assert label_randomization(judged) == {"gradient": {}}


def test_maps_of_the_network_that_memorised(linear, judge, draw_images):
    """On a linear network they are its weights, so the correlation is that of the weights."""
    network, w = linear((8, 8))
    other = np.random.default_rng(5).normal(size=(64, 3)).astype(np.float32)
    judged = judge(
        network,
        draw_images(3),
        [0, 1, 2],
        ["gradient", "difference:black"],
        memorised=[other, np.zeros(3, np.float32)],
    )
    scores = label_randomization(judged, LabelRandomization(images=2))
    for target in (0, 1):
        own, new = w[..., target].ravel(), other[:, target]
        signed, unsigned = (
            scores["gradient"][f"label_randomization_{kind}"] for kind in ("signed", "unsigned")
        )
        assert signed[target] == pytest.approx(spearmanr(own, new).statistic)
        assert unsigned[target] == pytest.approx(spearmanr(abs(own), abs(new)).statistic)
    assert np.isnan(signed[2])
    assert scores["difference:black"]["label_randomization_signed"].tolist()[:2] == [1, 1]
    np.testing.assert_array_equal(network.model.get_weights()[0], w.reshape(64, 3))
