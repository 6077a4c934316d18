"""Augmented images, learning curves, shuffled labels, and the regression of double descent."""

import numpy as np
import pytest
from scipy import ndimage
from sklearn.linear_model import LinearRegression, Ridge

from glassnets.learning import network, overfitting


@pytest.fixture(scope="module")
def small(options):
    own = options.overfitting
    return own.model_copy(
        update={
            "images": 200,
            "units": 32,
            "training": own.training.model_copy(update={"updates": 150}),
            "augmented": own.augmented.model_copy(update={"epochs": 30}),
            "shuffled": own.shuffled.model_copy(update={"images": 60, "epochs": 120}),
            "regression": own.regression.model_copy(update={"images": 60}),
        }
    )


@pytest.mark.parametrize("shape", [(6, 7), (6, 7, 3)])
def test_images_are_moved_as_scipy_moves_them(shape):
    images = np.random.default_rng(1).integers(1, 256, (40, *shape), np.uint8)
    moved = overfitting.shifted(images, 2, np.random.default_rng(0))
    assert (moved.shape, moved.dtype) == (images.shape, np.uint8)
    found = set()
    for before, after in zip(images, moved, strict=True):
        fits = [
            (down, right)
            for down in range(-2, 3)
            for right in range(-2, 3)
            if (ndimage.shift(before, (down, right, 0)[: before.ndim], order=0) == after).all()
        ]
        assert len(fits) == 1
        found.add(fits[0])
    assert len(found) > 15  # of 25


def test_no_shift_leaves_images_as_they_are():
    images = np.random.default_rng(1).integers(1, 256, (3, 4, 4), np.uint8)
    assert (overfitting.shifted(images, 0, np.random.default_rng(0)) == images).all()


def test_accuracy_of_augmented_images_is_below_that_of_the_same_images_clean(parts, small):
    table = overfitting.augmented(parts, small, seed=0)
    late = table[table["epoch"] > 20].mean()
    assert late["clean"] > late["augmented"] + 0.02
    assert late["clean"] > late["test"] + 0.02
    assert table["epoch"].tolist() == list(range(1, 31))


def test_more_images_make_a_better_network(parts, small):
    curve = overfitting.learning_curve(parts, small, seed=0)
    assert curve["images"].tolist() == [50, 100, 200]
    assert curve["test"].iloc[-1] > curve["test"].iloc[0] + 0.05
    assert (curve["train"] > curve["test"]).all()


def test_shuffled_labels_are_learnt_by_heart_and_teach_nothing(parts, small):
    table = overfitting.shuffled(parts, small, seed=0)
    ends = table.groupby("labels").last()
    assert ends.loc["shuffled", "train"] > 0.95
    assert ends.loc["shuffled", "test"] < 0.25
    assert ends.loc["true", "test"] > 0.7
    first = table[table["train"] > 0.9].groupby("labels")["epoch"].first()
    assert first["shuffled"] > 2 * first["true"]


def test_training_makes_the_updates_that_were_asked_for(parts, small):
    shape = network.Shape((64, 4, 10), "tanh")
    few = parts.train.rows(np.arange(100))
    epochs = [*overfitting.trained(shape, few, small, updates=6, seed=0)]
    assert len(epochs) == 2  # of four updates each


@pytest.mark.parametrize("count", [10, 60])  # features, of 30 images
def test_the_ridge_is_scikit_learns(count):
    rng = np.random.default_rng(0)
    train, targets = rng.normal(size=(30, count)), rng.normal(size=(30, 2))
    test, test_targets = rng.normal(size=(9, count)), rng.normal(size=(9, 2))
    model = Ridge(alpha=0.3 * 30, fit_intercept=False).fit(train, targets)
    expected = [
        np.square(model.predict(given) - wanted).mean()
        for given, wanted in ((train, targets), (test, test_targets))
    ]
    found = overfitting.regression(train, targets, test, test_targets, ridge=0.3)
    assert found == pytest.approx(expected)


@pytest.mark.parametrize("count", [10, 60])
def test_least_squares_is_scikit_learns_of_least_norm(count):
    rng = np.random.default_rng(0)
    train, targets = rng.normal(size=(30, count)), rng.normal(size=(30, 2))
    test, test_targets = rng.normal(size=(9, count)), rng.normal(size=(9, 2))
    model = LinearRegression(fit_intercept=False).fit(train, targets)
    own, other = overfitting.regression(train, targets, test, test_targets, ridge=0)
    assert own == pytest.approx(np.square(model.predict(train) - targets).mean(), abs=1e-20)
    assert other == pytest.approx(np.square(model.predict(test) - test_targets).mean())


def test_the_error_peaks_where_features_are_as_many_as_images(parts, small):
    results = [
        {name: getattr(overfitting, name)(parts, small, seed) for name in ("double_descent",)}
        for seed in range(3)
    ]
    for each in results:
        table = each["double_descent"]
        assert table["ratio"][table["test"].idxmax()] == pytest.approx(1, abs=0.1)
        assert table["test"].iloc[-1] < table["test"][table["ratio"] < 1].min()
        assert (table["train"][table["ratio"] >= 1] == 0).all()
        assert table["ridge"].max() < 2 * table["ridge"].iloc[0]


def test_features_are_random_units():
    rng = np.random.default_rng(0)
    inputs = rng.normal(size=(2000, 50))
    found = overfitting.features(inputs, 40, rng)
    assert found.shape == (2000, 40)
    assert (found >= 0).all()
    assert (found > 0).mean() == pytest.approx(0.5, abs=0.01)
    assert np.square(found).mean() == pytest.approx(0.5, rel=0.05)


def test_a_seed_has_a_table_a_question(parts, small):
    results = [overfitting.of_seed(parts, small, seed) for seed in (0, 1)]
    tables = overfitting.over_seeds(results, 0.95)
    assert [*tables] == ["augmented", "learning_curve", "shuffled_labels", "double_descent"]
    assert "test_low" in tables["double_descent"]
    assert tables["shuffled_labels"]["labels"].unique().tolist() == ["true", "shuffled"]
