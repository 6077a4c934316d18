"""Training: batches, augmentation, schedule, selection, and the same bytes for the same seed."""

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight

from glassnets import runtime
from glassnets.config.schema import Augmentation, Muon, Training
from glassnets.errors import GlassnetsError
from glassnets.models import training
from glassnets.models.augmentation import augment

STILL = Augmentation(rotation=0.0, scale=0.0, shear=0.0, shift=0.0, ramp_epochs=0.0)
MOVED = Augmentation(rotation=9.0, scale=0.1, shear=0.1, shift=0.1, ramp_epochs=1.0)
PLAIN = Training(
    epochs=3,
    batch_size=16,
    learning_rate=0.01,
    schedule="constant",
    warmup_epochs=0.0,
    weight_decay=0.0,
    muon=None,
    label_smoothing=0.0,
    global_clipnorm=None,
    ema_momentum=0.0,
    augmentation=None,
)


@pytest.fixture(scope="module", autouse=True)
def _tensorflow(tensorflow):
    pass


def data(n=80, seed=0):
    """Images whose brightest half is the label."""
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, 2, n).astype(np.uint8)
    images = rng.integers(0, 100, (n, 6, 6), dtype=np.uint8)
    images[labels == 0, :3] += 100
    images[labels == 1, 3:] += 100
    return {"images": images, "labels": labels}


def network():
    import keras

    inputs = keras.Input((6, 6))
    x = keras.layers.Flatten()(keras.layers.Rescaling(1 / 255)(inputs))
    x = keras.layers.Dropout(0.1)(keras.layers.Dense(8, activation="relu")(x))
    return keras.Model(inputs, keras.layers.Dense(2)(x))


def fit(
    train=None, seed=0, on_batch=lambda loss: None, on_epoch=lambda epoch, logs: None, **update
):
    runtime.set_seed(seed)
    model = network()
    history = training.fit(
        model,
        data() if train is None else train,
        data(seed=1),
        PLAIN.model_copy(update=update),
        seed,
        on_batch,
        on_epoch,
    )
    return model, history


def flat(model):
    return np.concatenate([w.ravel() for w in model.get_weights()])


def test_it_learns_and_gives_each_epoch():
    _, history = fit(epochs=8)
    assert history.columns.tolist() == ["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]
    assert history["epoch"].tolist() == [1, 2, 3, 4, 5, 6, 7, 8]
    assert history["val_accuracy"].iloc[-1] > 0.95


def test_same_seed_same_bytes_with_or_without_listeners():
    received = []
    alone, _ = fit(augmentation=MOVED, ema_momentum=0.9)
    fit(seed=7)  # another seed trained between
    with_listeners, _ = fit(
        augmentation=MOVED,
        ema_momentum=0.9,
        on_batch=received.append,
        on_epoch=lambda epoch, logs: received.append((epoch, logs)),
    )
    np.testing.assert_array_equal(flat(alone), flat(with_listeners))
    assert len(received) == 3 * 5 + 3
    other, _ = fit(seed=1)
    assert not np.array_equal(flat(alone), flat(other))


def test_the_epoch_of_lowest_validation_loss_is_kept():
    noise = data()
    noise["labels"] = 1 - noise["labels"]  # each epoch on wrong labels makes validation worse
    model, history = fit(train=noise, learning_rate=0.05, epochs=6)
    best = history["val_loss"].min()
    assert best < history["val_loss"].iloc[-1]
    import keras

    model.compile(loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True))
    held = data(seed=1)
    assert model.evaluate(held["images"], held["labels"], verbose=0)[0] == pytest.approx(best, 1e-4)


def test_a_loss_that_is_not_finite_is_an_error():
    # The rate is out of all bounds (params.yaml would refuse it), so the loss overflows at once.
    with pytest.raises(GlassnetsError, match=r"finite loss.*epoch \d of seed 0.*learning_rate"):
        fit(learning_rate=1e38, epochs=2)


def test_every_epoch_is_a_new_shuffle_of_all_images():
    train = data(40)
    train["images"][:, 0, 0] = np.arange(40)
    batches = list(training.batches(train, 2, PLAIN, seed=0).as_numpy_iterator())
    assert [len(images) for images, _ in batches] == [16, 16, 8] * 3
    order = np.concatenate([images[:, 0, 0] for images, _ in batches]).astype(int)
    epochs = order.reshape(3, 40)
    for epoch in epochs:
        assert sorted(epoch) == list(range(40))
    assert not (epochs[0] == epochs[1]).all()
    labels = np.concatenate([labels.argmax(axis=1) for _, labels in batches])
    np.testing.assert_array_equal(labels, train["labels"][order])  # each image keeps its label


def test_class_weights_are_scikit_learns():
    labels = np.repeat([0, 1, 2], [70, 20, 10]).astype(np.uint8)
    weights = training.class_weights(labels, 3)
    expected = compute_class_weight("balanced", classes=np.arange(3), y=labels)
    np.testing.assert_allclose(weights, expected, rtol=1e-6)
    assert weights[labels].mean() == pytest.approx(1)


def imbalanced(n=80, seed=0):
    """Nine in ten are of class 0."""
    rare = data(n, seed)
    rare["labels"][: 9 * n // 10] = 0
    rare["labels"][9 * n // 10 :] = 1
    return rare


def test_a_batch_has_a_weight_for_each_example_where_that_is_asked_for():
    train, balanced = imbalanced(), PLAIN.model_copy(update={"class_weight": "balanced"})
    plain = list(training.batches(train, 2, PLAIN, seed=0).as_numpy_iterator())
    weighted = list(training.batches(train, 2, balanced, seed=0).as_numpy_iterator())
    assert {len(batch) for batch in plain} == {2}  # Keras' graph has no weight in it
    for (images, labels), (same, alike, weights) in zip(plain, weighted, strict=True):
        np.testing.assert_array_equal(images, same)
        np.testing.assert_array_equal(labels, alike)
        np.testing.assert_allclose(weights, labels @ [80 / (2 * 72), 80 / (2 * 8)], rtol=1e-6)


def test_the_weighted_loss_by_hand():
    """Without steps that move a weight: both losses are the weighted cross-entropy."""
    train, held = imbalanced(), imbalanced(40, seed=1)
    held["labels"][:8] = 1  # other classes than in training, whose weights count here too
    runtime.set_seed(0)
    import keras

    inputs = keras.Input((6, 6))
    model = keras.Model(inputs, keras.layers.Dense(2)(keras.layers.Flatten()(inputs)))
    model.set_weights([weight * 0.01 for weight in model.get_weights()])
    still = {"learning_rate": 1e-30, "epochs": 1, "class_weight": "balanced"}
    listeners = (lambda loss: None, lambda epoch, logs: None)
    options = PLAIN.model_copy(update=still)
    history = training.fit(model, train, held, options, 0, *listeners)
    for part, loss in ((train, "loss"), (held, "val_loss")):
        logits = model.predict(part["images"], verbose=0).astype(float)
        p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        own = -np.log(p[np.arange(len(p)), part["labels"]])
        weights = np.array([80 / (2 * 72), 80 / (2 * 8)])[part["labels"]]
        assert history[loss].item() == pytest.approx((weights * own).mean(), rel=1e-5)
        assert history[loss].item() != pytest.approx(own.mean(), rel=1e-2)


def test_balanced_training_finds_the_rare_class():
    rng = np.random.default_rng(0)

    def overlapping(n):
        labels = (rng.random(n) < 0.1).astype(np.uint8)
        images = rng.normal(100, 30, (n, 6, 6)) + 15 * labels[:, np.newaxis, np.newaxis]
        return {"images": images.clip(0, 255).astype(np.uint8), "labels": labels}

    train, test = overlapping(400), overlapping(1000)
    recalls = []
    for class_weight in (None, "balanced"):
        model, _ = fit(train, epochs=8, class_weight=class_weight)
        predicted = model.predict(test["images"], verbose=0).argmax(axis=1)
        recalls.append((predicted[test["labels"] == 1] == 1).mean())
    assert recalls[1] > recalls[0] + 0.05


def test_cosine_schedule_by_hand():
    cosine = PLAIN.model_copy(update={"schedule": "cosine", "warmup_epochs": 1.0, "epochs": 3})
    rate = training.optimizer(cosine, steps=10)._learning_rate
    at = [float(rate(step)) for step in (0, 5, 10, 20, 30)]
    assert at == pytest.approx([0, 0.005, 0.01, 0.005, 0], abs=1e-8)
    assert float(training.optimizer(PLAIN, steps=10).learning_rate) == pytest.approx(0.01)


def test_clipped_gradients_and_averaged_weights_by_hand():
    import keras
    import tensorflow as tf

    plain = PLAIN.model_copy(update={"global_clipnorm": 1.0, "ema_momentum": 0.9})
    optimizer = training.optimizer(plain, steps=10)
    clipped = optimizer._clip_gradients([tf.constant([3.0]), tf.constant([4.0])])
    np.testing.assert_allclose(tf.concat(clipped, 0), [0.6, 0.8], rtol=1e-6)
    weight = keras.Variable([1.0])
    steps = []
    for _ in range(3):
        optimizer.apply([tf.constant([0.5])], [weight])
        steps.append(float(weight.numpy()[0]))
    mean = steps[0]  # the average starts at the first step
    for step in steps[1:]:
        mean = 0.9 * mean + 0.1 * step
    assert steps[0] > steps[1] > steps[2]
    (average,) = optimizer._model_variables_moving_average
    assert float(average.numpy()[0]) == pytest.approx(mean, abs=1e-6)


def muon_step(value, gradient, name="hidden", weight_decay=0.0):
    """What one step of Muon takes from a variable."""
    import keras
    import tensorflow as tf

    how = PLAIN.model_copy(
        update={"muon": Muon(momentum=0.5, adam_lr_ratio=0.1), "weight_decay": weight_decay}
    )
    variable = keras.Variable(value, name=name)
    training.optimizer(how, steps=10).apply([tf.constant(gradient)], [variable])
    return value - variable.numpy()


def test_muon_moves_a_kernel_along_its_gradients_nearest_orthogonal_matrix():
    rng = np.random.default_rng(0)
    gradient = rng.normal(size=(3, 3, 4, 8)).astype(np.float32)
    step = muon_step(np.zeros_like(gradient), gradient)
    u, _, v = np.linalg.svd(gradient.reshape(36, 8), full_matrices=False)
    # 0.2 of the learning rate in root mean square, were it wholly orthogonal; five steps of
    # Newton and Schulz leave every singular value within about 0.3 of one.
    turned = u.T @ step.reshape(36, 8) @ v.T / (0.01 * 0.2 * 36**0.5)
    np.testing.assert_allclose(turned, np.diag(np.diag(turned)), atol=0.02)
    assert (np.abs(np.diag(turned) - 1) < 0.35).all()
    # A gradient of another size and shape of the same matrix: the same step.
    np.testing.assert_allclose(muon_step(np.zeros_like(gradient), 7 * gradient), step, rtol=1e-3)
    matrix = muon_step(np.zeros((36, 8), np.float32), gradient.reshape(36, 8))
    np.testing.assert_array_equal(matrix, step.reshape(36, 8))


@pytest.mark.parametrize(("shape", "name"), [((3,), "hidden"), ((3, 1), "logits")])
def test_muon_leaves_vectors_and_the_last_layer_to_adam(shape, name):
    gradient = np.array([3.0, -0.1, 20.0], np.float32).reshape(shape)
    step = muon_step(np.zeros_like(gradient), gradient, name)
    np.testing.assert_allclose(step, 0.01 * 0.1 * np.sign(gradient), rtol=1e-4)


@pytest.mark.parametrize("shape", [(3,), (3, 2), (3, 3, 1, 2)])
def test_muon_decays_every_weight_by_the_learning_rate(shape):
    value = np.full(shape, 2.0, np.float32)
    step = muon_step(value, np.zeros_like(value), weight_decay=0.1)
    np.testing.assert_allclose(step, 0.01 * 0.1 * value, rtol=1e-4)


def test_the_average_is_what_is_validated_and_kept():
    import keras

    held = data(seed=1)
    last, plain = fit(epochs=2)
    averaged, history = fit(epochs=2, ema_momentum=0.9)
    # The same steps were taken: training does not use the average.
    np.testing.assert_array_equal(history["loss"], plain["loss"])
    assert not np.allclose(flat(averaged), flat(last))
    loss = keras.losses.CategoricalCrossentropy(from_logits=True)
    averaged.compile(loss=loss)
    kept = averaged.evaluate(held["images"], np.eye(2)[held["labels"]], verbose=0)
    assert kept[0] == pytest.approx(history["val_loss"].min(), 1e-5)


def test_augmentation_grows_to_all_images_of_a_batch():
    # Six steps an epoch of 96 images: after 1.5 epochs, in step 9, all of them.
    train = data(96) | {"labels": np.arange(96) % 2}
    change = STILL.model_copy(update={"shift": 0.2, "ramp_epochs": 1.5})
    recipe = PLAIN.model_copy(update={"augmentation": change})
    plain = training.batches(train, 2, PLAIN, seed=0).as_numpy_iterator()
    grown = training.batches(train, 2, recipe, seed=0).as_numpy_iterator()
    for step, ((still, _), (moved, _)) in enumerate(zip(plain, grown, strict=True)):
        wanted = augment(still, change, (0, step), min(1, step / 9))
        np.testing.assert_allclose(moved, wanted, atol=1e-3)
