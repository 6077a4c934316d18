"""Comparisons of made-up representations."""

import numpy as np
import pytest

from glassnets.config.schema import Similarity
from glassnets.representations import comparisons, similarity

OPTIONS = Similarity(blocks=10, shuffles=49, random_state=0)
N = 60


def features(rng, signal, noise, width=40):
    """Made of a signal (n, k), and of noise of the network's own."""
    mixed = signal @ rng.normal(size=(signal.shape[1], width)) / np.sqrt(signal.shape[1])
    return mixed + noise * rng.normal(size=(len(signal), width))


@pytest.fixture(scope="module")
def compared():
    """Two families whose last layers share a signal, more than their first ones; untrained
    networks share nothing."""
    rng = np.random.default_rng(0)
    shared, pixels = rng.normal(size=(N, 5)), rng.normal(size=(N, 64))
    families = {}
    for family in ("cnn", "lstm"):
        own = rng.normal(size=(N, 5))
        arrays = {"pixels": pixels, "classes": shared, "index": None}
        for seed in (0, 1, 2):
            for layer, signal in (
                ("block_0", np.hstack([own, 0.5 * shared])),
                ("block_1", np.hstack([0.5 * own, shared])),
                ("logits", shared),
            ):
                arrays[f"trained/{seed}/{layer}"] = features(rng, signal, 0.3)
                arrays[f"untrained/{seed}/{layer}"] = rng.normal(size=(N, 40))
        families[family] = {
            name: similarity.gram(value).astype(np.float32)
            for name, value in arrays.items()
            if value is not None
        }
    return comparisons.compared(families)


@pytest.fixture(scope="module")
def table(compared):
    return comparisons.answers(compared, OPTIONS, 0.95)


def one(table, measure, comparison, a, b):
    """The row of this comparison of ``family/layer`` twice."""
    found = table[(table["measure"] == measure) & (table["comparison"] == comparison)]
    for end, name in (("a", a), ("b", b)):
        family, _, layer = name.partition("/")
        found = found[(found[f"family_{end}"] == family) & (found[f"layer_{end}"] == layer)]
    (row,) = found.to_dict("records")
    return row


@pytest.mark.parametrize("measure", similarity.COSINES)
def test_a_value_is_the_mean_over_pairs_of_seeds(compared, table, measure):
    names = [comparisons.Layer("trained", f, "block_1") for f in ("cnn", "lstm")]
    places = [compared.places[name] for name in names]
    all_ = similarity.table(compared.grams, measure)
    expected = all_[np.ix_([*places[0].values()], [*places[1].values()])].mean()
    row = one(table, measure, "trained", "cnn/block_1", "lstm/block_1")
    assert row["value"] == pytest.approx(expected)
    within = all_[np.ix_([*places[0].values()], [*places[0].values()])]
    row = one(table, measure, "trained", "cnn/block_1", "cnn/block_1")
    assert row["value"] == pytest.approx(within[np.triu_indices(3, 1)].mean())


@pytest.mark.parametrize("measure", ["cka", "rdm"])
def test_what_families_share_is_more_than_untrained_networks_and_shuffled_images(table, measure):
    last = one(table, measure, "trained", "cnn/block_1", "lstm/block_1")
    first = one(table, measure, "trained", "cnn/block_0", "lstm/block_0")
    assert first["value"] < last["ci_low"]
    untrained = one(table, measure, "untrained", "cnn/block_1", "lstm/block_1")
    assert untrained["ci_low"] < 0.05 < last["ci_low"]
    gained = one(table, measure, "gained", "cnn/block_1", "lstm/block_1")
    assert gained["value"] == pytest.approx(last["value"] - untrained["value"])
    assert gained["ci_low"] > 0
    shuffled = one(table, measure, "shuffled", "cnn/block_1", "lstm/block_1")
    assert shuffled["ci_low"] < 0 < shuffled["ci_high"] < last["ci_low"]
    ceiling = one(table, measure, "trained", "cnn/block_1", "cnn/block_1")
    assert ceiling["value"] > last["value"]


def test_the_biased_measure_takes_unrelated_networks_for_alike(table):
    biased, debiased = (
        one(table, measure, "untrained", "cnn/block_1", "lstm/block_1")["value"]
        for measure in ("cka_biased", "cka")
    )
    assert biased > 0.3
    assert abs(debiased) < 0.05


def test_angles_are_smaller_of_the_same_family(table):
    ceiling = one(table, "procrustes", "trained", "cnn/block_1", "cnn/block_1")
    between = one(table, "procrustes", "trained", "cnn/block_1", "lstm/block_1")
    assert ceiling["value"] < between["value"] < np.pi / 2
    assert between["ci_low"] < between["value"] < between["ci_high"]


def test_layers_are_compared_with_pixels_and_classes(table):
    assert abs(one(table, "cka", "pixels", "cnn/logits", "/")["value"]) < 0.2
    assert one(table, "cka", "classes", "cnn/logits", "/")["ci_low"] > 0.8


@pytest.mark.exhaustive
def test_the_interval_holds_the_similarity_of_the_population():
    """Of 40 draws of images and networks, most intervals hold what endless images would give."""

    mixing = np.random.default_rng(9)
    state = mixing.bit_generator.state

    def made(rng, n):
        mixing.bit_generator.state = state  # the same networks, other images
        signals = [rng.normal(size=(n, 3)) for _ in range(3)]
        return [np.hstack([signals[0], own]) @ mixing.normal(size=(6, 20)) for own in signals[1:]]

    grams = [similarity.gram(x) for x in made(np.random.default_rng(1), 2000)]
    truth = similarity.table(grams, "cka")[0, 1]
    held = 0
    for draw in range(40):
        one_, other = made(np.random.default_rng(100 + draw), N)
        families = {
            name: {"pixels": similarity.gram(x), "classes": similarity.gram(x)}
            | {f"trained/0/{layer}": similarity.gram(x) for layer in ("a", "logits")}
            | {f"untrained/0/{layer}": similarity.gram(x) for layer in ("a", "logits")}
            for name, x in (("cnn", one_), ("lstm", other))
        }
        small = OPTIONS.model_copy(update={"shuffles": 19})
        table = comparisons.answers(comparisons.compared(families), small, 0.95)
        row = one(table, "cka", "trained", "cnn/a", "lstm/a")
        held += row["ci_low"] <= truth <= row["ci_high"]
    assert held >= 34


def test_the_trial_of_the_measures(compared):
    trial = comparisons.trial(compared, OPTIONS).set_index(["test", "measure"])
    for measure in similarity.COSINES:
        falling = trial.loc[("noise", measure), "value"].to_numpy()
        assert falling[0] == pytest.approx(1, abs=1e-6)
        assert (np.diff(falling) < 0).all()
    angles = trial.loc[("noise", "procrustes"), "value"].to_numpy()
    assert angles[0] == pytest.approx(0, abs=2e-3)
    assert (np.diff(angles) > 0).all()
    unrelated = trial.loc["unrelated", "value"]
    assert abs(unrelated["cka"]) < 0.02
    assert unrelated["cka_biased"] > 0.8
    identified = trial.loc[("identified", "cka")]
    assert identified["chance"].item() == pytest.approx(1 / 3)
    assert identified["value"].item() > 0.6
