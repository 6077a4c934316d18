"""Faithfulness, solved by hand on a linear network, where gradient × input is the true map."""

import numpy as np
import pytest
from pydantic import ValidationError

from glassnets.attribution.metrics.faithfulness import (
    deletion_insertion,
    faithfulness_correlation,
    infidelity,
    random_squares,
    random_subsets,
)
from glassnets.attribution.metrics.metric import NETWORK
from glassnets.attribution.metrics.removal import Filling, without
from glassnets.attribution.references import REMOVALS

TRUE = "gradient_x_input"
QUICK = {
    deletion_insertion: {"steps": 8},
    faithfulness_correlation: {"subsets": 50},
    infidelity: {"draws": 50},
}


def options(metric, **values):
    return metric.options(**{**QUICK[metric], **values})


@pytest.fixture(scope="module")
def judged(linear, judge, draw_images):
    """Of a linear network: the true map, its inverse, and maps without information."""
    network, w = linear((8, 8))
    x, y = draw_images(4), np.array([0, 1, 2, 0])
    true = np.stack([w[..., target] * image for image, target in zip(x, y, strict=True)])
    noise = np.random.default_rng(5).normal(size=x.shape).astype(np.float32)
    maps = {TRUE: true, "inverted": -true, "longer": 1000 * true, "noise": noise}
    maps |= {"constant": np.full_like(x, 0.1), "zero": np.zeros_like(x)}
    maps["gradient"] = true / x
    return judge(network, x, y, maps)


# Deletion and insertion


def test_curves_and_areas_solved_by_hand(linear, judge):
    """Three pixels, of which the logit of class 0 is 1 + Σ w x."""
    network, w = linear((1, 3), classes=2)
    x = np.array([[[10, 200, 100]]], np.float32)
    effect = (w[..., 0] * x[0])[0].astype(float)  # of each pixel on the logit
    ranking = np.array([[[2, -1, 0.5]]], np.float32)  # 0 first, then 2, then 1
    scores = deletion_insertion(
        judge(network, x, [0], {"m": ranking}),
        deletion_insertion.options(steps=3, removals=("black",)),
    )["m"]
    intact, empty = 1 + effect.sum(), 1.0
    deletion = [intact, intact - effect[0], 1 + effect[1], empty]
    insertion = [empty, 1 + effect[0], 1 + effect[0] + effect[2], intact]

    def area(values):
        return (values[0] / 2 + values[1] + values[2] + values[3] / 2) / 3

    assert scores["deletion_logit_black"] == pytest.approx([area(deletion)], rel=1e-5)
    assert scores["insertion_logit_black"] == pytest.approx([area(insertion)], rel=1e-5)
    other = 1 + (w[..., 1] * x[0])[0]
    shown = np.array([[1, 1, 1], [0, 1, 1], [0, 1, 0], [0, 0, 0]])
    logits = np.stack([1 + shown @ effect, 1 + shown @ (other - 1)])
    probability = np.exp(logits[0]) / np.exp(logits).sum(axis=0)
    np.testing.assert_allclose(scores["deletion_curve_black"], [probability], rtol=1e-5)
    assert scores["deletion_probability_black"] == pytest.approx([area(probability)], rel=1e-5)


def test_the_names_and_shapes_of_all_scores(judged):
    scores = deletion_insertion(judged, options(deletion_insertion))
    assert scores.keys() == judged.maps.keys()
    names = {
        f"{what}_{quantity}_{removal}"
        for what in ("deletion", "insertion", "insertion_minus_deletion")
        for quantity in ("probability", "logit")
        for removal in REMOVALS
    }
    curves = {f"{what}_curve_{b}" for what in ("deletion", "insertion") for b in REMOVALS}
    for own in scores.values():
        assert own.keys() == names | curves | {"insertion_minus_deletion"}
        for name, values in own.items():
            assert values.shape == ((4, 9) if name in curves else (4,))
            assert values.dtype == np.float64
            assert np.isfinite(values).all()


def test_the_headline_is_the_mean_over_all_removals(judged):
    for removals in (("black", "mean", "blur"), ("black",), ("mean", "blur", "mean")):
        given = options(deletion_insertion, removals=removals)
        own = deletion_insertion(judged, given)[TRUE]
        distinct = dict.fromkeys(removals)
        of_each = [own[f"insertion_minus_deletion_probability_{b}"] for b in distinct]
        np.testing.assert_allclose(own["insertion_minus_deletion"], np.mean(of_each, axis=0))
        for b in distinct:
            np.testing.assert_allclose(
                own[f"insertion_minus_deletion_probability_{b}"],
                own[f"insertion_probability_{b}"] - own[f"deletion_probability_{b}"],
            )


def test_by_draws_the_network_answers_for_each_and_the_answers_are_averaged(
    linear, judge, draw_images
):
    """Not the answer to the mean of the draws: a probability is not linear."""
    network, _ = linear((1, 3), references=draw_images(5, (1, 3), seed=3))
    x = np.array([[[10, 200, 100]], [[7, 8, 250]]], np.float32)
    ranking = np.tile(np.array([[2, -1, 0.5]], np.float32), (2, 1, 1))  # pixels 0, 2, 1
    given = deletion_insertion.options(steps=3, removals=("draws",), draws=4)
    own = deletion_insertion(judge(network, x, [0, 1], {"m": ranking}), given, 6)["m"]
    filling = Filling(network, 0.01, 4, 6)
    removed = np.array([[[0, 0, 0]], [[1, 0, 0]], [[1, 0, 1]], [[1, 1, 1]]], bool)
    for i, image in enumerate(x):
        points = without(image, removed, "draws", filling)  # (4, 4, 1, 3)
        logits = network.outputs(points.reshape(-1, 1, 3)).reshape(4, 4, 3).astype(float)
        chances = np.exp(logits) / np.exp(logits).sum(axis=2, keepdims=True)
        expected = chances[..., i].mean(axis=0)
        np.testing.assert_allclose(own["deletion_curve_draws"][i], expected, rtol=1e-5)
        of_mean = np.exp(mean := network.outputs(points.mean(axis=0))) / np.exp(mean).sum(
            axis=1, keepdims=True
        )
        assert np.abs(of_mean[-1, i] - expected[-1]) > 1e-4


@pytest.mark.parametrize("metric", [deletion_insertion, faithfulness_correlation])
def test_maps_of_other_networks_score_as_if_they_were_its_own(judged, judge, metric):
    """Means over the networks that give the same answer; NaN where there is none."""
    noise = np.random.default_rng(8).normal(size=(2, 4, 8, 8)).astype(np.float32)
    asked = noise.copy()
    asked[1, 0] = asked[:, 2] = np.nan
    given = (judged.network, judged.images, judged.targets)
    maps = {"m": judged.maps[TRUE]}
    found = metric(judge(*given, maps, others={"m": asked}), options(metric))
    alone = metric(judge(*given, maps), options(metric))
    each = [metric(judge(*given, {"m": own}), options(metric)) for own in noise]
    names = {name.removesuffix("_of_others") for name in found["m"] if name.endswith("_of_others")}
    assert len(names) == (10 if metric is deletion_insertion else 5)
    for name in names:
        first, second = (scores["m"][name] for scores in each)
        both = (first + second) / 2
        expected = [first[0], both[1], np.nan, both[3]]
        np.testing.assert_allclose(found["m"][f"{name}_of_others"], expected, atol=1e-6)
        np.testing.assert_allclose(found["m"][name], alone["m"][name], atol=1e-6)


def test_no_order_scores_above_the_true_one_or_below_its_inverse(judged):
    given = options(deletion_insertion, removals=("black",), steps=64)
    scores = deletion_insertion(judged, given)
    by_map = {name: own["insertion_minus_deletion"] for name, own in scores.items()}
    for name in ("noise", "constant", "gradient"):
        assert (by_map[TRUE] > by_map[name]).all()
        assert (by_map["inverted"] < by_map[name]).all()
    logit = "insertion_minus_deletion_logit_black"
    np.testing.assert_allclose(scores["inverted"][logit], -scores[TRUE][logit], rtol=1e-4)
    np.testing.assert_array_equal(by_map["longer"], by_map[TRUE])


def test_curves_end_where_the_other_begins(judged):
    own = deletion_insertion(judged, options(deletion_insertion))["noise"]
    for b in REMOVALS:
        deletion, insertion = (own[f"{way}_curve_{b}"] for way in ("deletion", "insertion"))
        np.testing.assert_array_equal(deletion[:, [0, -1]], insertion[:, [-1, 0]])
        np.testing.assert_allclose(deletion[:, 0], own["deletion_curve_black"][:, 0], rtol=1e-5)


def test_equal_pixels_go_row_by_row(judged, judge):
    by_rows = -np.arange(64, dtype=np.float32).reshape(1, 8, 8).repeat(4, axis=0)
    maps = {"constant": judged.maps["constant"], "by_rows": by_rows}
    scores = deletion_insertion(
        judge(judged.network, judged.images, judged.targets, maps), options(deletion_insertion)
    )
    for name, values in scores["constant"].items():
        np.testing.assert_array_equal(values, scores["by_rows"][name])


def test_more_steps_than_pixels_change_nothing_but_the_points(judged):
    of_64, of_640 = (
        deletion_insertion(judged, options(deletion_insertion, steps=s, removals=("mean",)))
        for s in (64, 640)
    )
    name = "deletion_logit_mean"
    np.testing.assert_allclose(of_64[TRUE][name], of_640[TRUE][name], rtol=1e-5)


# Faithfulness correlation


def test_the_true_map_has_correlation_1_and_its_inverse_minus_1(judged):
    given = options(faithfulness_correlation, removals=("black",))
    found = faithfulness_correlation(judged, given)
    scores = {name: found[name]["faithfulness_correlation"] for name in judged.maps}
    np.testing.assert_allclose(scores[TRUE], 1, atol=1e-4)
    np.testing.assert_allclose(scores["longer"], 1, atol=1e-4)
    np.testing.assert_allclose(scores["inverted"], -1, atol=1e-4)
    np.testing.assert_array_equal(scores["constant"], 0)
    np.testing.assert_array_equal(scores["zero"], 0)
    assert (np.abs(scores["noise"]) < 0.6).all()


def test_the_correlation_equals_numpys(judged):
    subsets = random_subsets((8, 8), 50, 0.15, 7)
    kept = judged.images[0] * ~subsets + 100 * subsets
    outputs = judged.network.outputs(np.concatenate([judged.images[:1], kept]).astype(np.float32))
    drops = outputs[0, 0] - outputs[1:, 0]
    sums = [judged.maps["noise"][0][subset].sum() for subset in subsets]
    own = faithfulness_correlation(judged, options(faithfulness_correlation), 7)["noise"]
    correlation = np.corrcoef(sums, drops)[0, 1]
    for removal in ("mean", "draws"):  # every draw is the mean image
        score = own[f"faithfulness_correlation_{removal}"][0]
        assert score == pytest.approx(correlation, abs=1e-5)
    each = [own[f"faithfulness_correlation_{removal}"] for removal in REMOVALS]
    np.testing.assert_allclose(own["faithfulness_correlation"], np.mean(each, axis=0))
    assert np.ptp(each) > 0.01


def test_the_drops_of_the_network_give_the_correlation_of_any_map(judged):
    found = faithfulness_correlation(judged, options(faithfulness_correlation), 7)
    weights = random_subsets((8, 8), 50, 0.15, 7).reshape(50, 64).astype(float)
    for removal in REMOVALS:
        drops = found[NETWORK][f"drops_{removal}"]
        np.testing.assert_allclose(drops.mean(axis=1), 0, atol=1e-9)
        np.testing.assert_allclose(drops.std(axis=1), 1)
        for name in ("noise", TRUE, "gradient"):
            sums = judged.maps[name].reshape(4, 64) @ weights.T
            expected = [np.corrcoef(own, drop)[0, 1] for own, drop in zip(sums, drops, strict=True)]
            score = found[name][f"faithfulness_correlation_{removal}"]
            np.testing.assert_allclose(score, expected, atol=1e-6)


def test_a_constant_network_correlates_with_nothing(linear, judge):
    network, _ = linear((4, 4))
    kernel, bias = network.model.get_weights()
    network.model.set_weights([0 * kernel, bias])
    x = np.random.default_rng(0).uniform(0, 255, (2, 4, 4)).astype(np.float32)
    given = options(faithfulness_correlation)
    scores = faithfulness_correlation(judge(network, x, [0, 1], {"m": x}), given)["m"]
    np.testing.assert_array_equal(scores["faithfulness_correlation"], 0)


@pytest.mark.parametrize(("fraction", "size"), [(0.15, 10), (0.5, 32), (0.001, 1)])
def test_subsets_have_their_size_and_every_pixel_its_chance(fraction, size):
    subsets = random_subsets((8, 8), 2000, fraction, 0)
    assert (subsets.sum(axis=(1, 2)) == size).all()
    # Within five standard errors of the fraction of pixels chosen.
    p = size / 64
    assert (np.abs(subsets.mean(axis=0) - p) < 5 * np.sqrt(p * (1 - p) / 2000)).all()


# Infidelity


def test_the_true_map_has_no_infidelity_and_its_inverse_that_of_a_zero_map(judged):
    given = options(infidelity, removal="black")
    scores = {name: f["infidelity"] for name, f in infidelity(judged, given).items()}
    squares = random_squares((8, 8), 50, 0.5, 0)
    drops = np.stack([(squares * true).sum(axis=(1, 2)) for true in judged.maps[TRUE]])
    worst = (drops**2).mean(axis=1)
    np.testing.assert_allclose(scores["zero"], worst, rtol=1e-3)
    np.testing.assert_allclose(scores["inverted"], worst, rtol=1e-3)
    for true in (TRUE, "longer", "gradient"):
        np.testing.assert_allclose(scores[true], 0, atol=1e-6 * worst.max())
    assert (scores["noise"] > 0.1 * worst).all()


def test_of_the_mean_image_the_gradient_is_true_and_gradient_x_input_is_not(judged):
    scores = infidelity(judged, options(infidelity))
    np.testing.assert_allclose(scores["gradient"]["infidelity"], 0, atol=1e-8)
    assert (scores[TRUE]["infidelity"] > 1e-4).all()


def test_the_scale_is_the_best(judged):
    squares = random_squares((8, 8), 50, 0.5, 3)
    predicted = (squares * judged.maps["noise"][1]).sum(axis=(1, 2))
    changed = np.where(squares, np.float32(100), judged.images[1])
    outputs = judged.network.outputs(np.concatenate([judged.images[1:2], changed]))
    drops = outputs[0, 1] - outputs[1:, 1]
    every = [np.mean((beta * predicted - drops) ** 2) for beta in np.linspace(0, 1, 10001)]
    score = infidelity(judged, options(infidelity), 3)["noise"]["infidelity"][1]
    assert score == pytest.approx(min(every), rel=1e-3)


def test_squares_are_square_inside_the_image_and_of_every_side():
    squares = random_squares((6, 10), 500, 0.5, 0)
    rows, columns = squares.any(axis=2).sum(axis=1), squares.any(axis=1).sum(axis=1)
    np.testing.assert_array_equal(rows, columns)
    np.testing.assert_array_equal(squares.sum(axis=(1, 2)), rows**2)
    assert set(rows) == {1, 2, 3}
    assert squares.any(axis=0).all()


# All of them


@pytest.mark.parametrize("metric", QUICK, ids=lambda metric: metric.name)
def test_scores_depend_neither_on_the_other_images_nor_on_the_other_methods(
    family, judge, draw_images, metric
):
    x, y = draw_images(4), np.array([3, 1, 4, 1])
    rng = np.random.default_rng(0)
    maps = {m: rng.normal(size=x.shape).astype(np.float32) for m in ("one", "other", "gradient")}
    together = metric(judge(family("cnn"), x, y, maps), options(metric), 5)
    order = [2, 0]
    fewer = {m: maps[m][order] for m in ("gradient", "one")}
    judged = judge(family("cnn", batch_size=7), x[order], y[order], fewer)
    alone = metric(judged, options(metric), 5)
    assert alone.keys() - {NETWORK} == fewer.keys()
    for method, own in alone.items():
        for name, values in own.items():
            np.testing.assert_allclose(values, together[method][name][order], atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("metric", QUICK, ids=lambda metric: metric.name)
def test_the_same_call_gives_the_same_bytes_and_another_seed_others(judged, metric):
    once, again, other = (metric(judged, options(metric), seed) for seed in (1, 1, 2))
    differ = False
    for method, own in once.items():
        for name, values in own.items():
            np.testing.assert_array_equal(values, again[method][name])
            differ |= not np.array_equal(values, other[method][name])
    assert differ


@pytest.mark.parametrize(
    ("metric", "values"),
    [
        (deletion_insertion, {"steps": 1}),
        (deletion_insertion, {"removals": ()}),
        (deletion_insertion, {"removals": ("white",)}),
        (faithfulness_correlation, {"fraction": 1.0}),
        (faithfulness_correlation, {"subsets": 2}),
        (infidelity, {"removal": "white"}),
        (infidelity, {"max_side": 0.0}),
    ],
)
def test_wrong_options_are_refused(metric, values):
    with pytest.raises(ValidationError):
        metric.options(**values)
