"""How a network is trained: batches, optimiser, schedule, the fit loop."""

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from glassnets.config.schema import Training
from glassnets.data import Arrays
from glassnets.errors import GlassnetsError
from glassnets.models.augmentation import augment

# Called after every batch with the loss so far, and after every epoch with its metrics.
OnBatch = Callable[[float], None]
OnEpoch = Callable[[int, dict[str, float]], None]


def fit(
    model: Any,
    train: Arrays,
    validation: Arrays,
    training: Training,
    seed: int,
    on_batch: OnBatch,
    on_epoch: OnEpoch,
) -> pd.DataFrame:
    """Trains a model from images (n, h, w[, channels]) to logits (n, classes) in place.

    The arrays are ``images`` uint8 or float32 and ``labels`` uint8 (n,). The model ends with the
    weights of the epoch of lowest validation loss. Gives the history, a row an epoch: epoch (from
    1), loss, accuracy (of the augmented training images, as they were seen), val_loss,
    val_accuracy. With an ``ema_momentum`` these weights, and the two validation figures, are those
    of the moving average (Polyak & Juditsky 1992). Shuffling and augmentation depend on the seed
    alone. With ``class_weight: balanced`` an example of class c weighs n/(classes·n_c) in both
    losses, n_c of the n training examples being of it (King & Zeng 2001).

    Raises GlassnetsError when the loss is no longer finite.
    """
    import keras
    import tensorflow as tf

    from glassnets.models.layers import standardize  # imports Keras

    standardize(model, train["images"])
    classes = model.output_shape[-1]
    steps = steps_per_epoch(train, training)
    model.compile(
        optimizer=optimizer(training, steps),
        loss=keras.losses.CategoricalCrossentropy(
            from_logits=True, label_smoothing=training.label_smoothing
        ),
        metrics=[keras.metrics.CategoricalAccuracy("accuracy")],
        jit_compile=False,
    )
    # A metric given by its name, and an optimizer that is not built, would make variables in the
    # first step, which Keras then traces a second time.
    model.optimizer.build(model.trainable_variables)
    averaged = [keras.callbacks.SwapEMAWeights(swap_on_epoch=True)] if training.ema_momentum else []
    held = [validation["images"], keras.utils.to_categorical(validation["labels"], classes)]
    if training.class_weight is not None:
        held.append(class_weights(train["labels"], classes)[validation["labels"]])
    history = model.fit(
        batches(train, classes, training, seed),
        epochs=training.epochs,
        steps_per_epoch=steps,
        validation_data=tf.data.Dataset.from_tensor_slices(tuple(held)).batch(1000),
        shuffle=False,  # the batches come shuffled
        verbose=0,
        callbacks=[
            keras.callbacks.TerminateOnNaN(),
            *averaged,  # before the next, which keeps what it finds when an epoch ends
            keras.callbacks.EarlyStopping(
                monitor="val_loss", patience=training.epochs, restore_best_weights=True
            ),
            keras.callbacks.LambdaCallback(
                on_train_batch_end=lambda _, logs: on_batch(logs["loss"]),
                on_epoch_end=lambda epoch, logs: on_epoch(epoch + 1, logs),
            ),
        ],
    )
    table = pd.DataFrame(history.history)
    table.insert(0, "epoch", range(1, len(table) + 1))
    table = table[["epoch", "loss", "accuracy", "val_loss", "val_accuracy"]]
    if len(table) < training.epochs or not np.isfinite(table).all(axis=None):
        raise GlassnetsError(
            f"expected a finite loss, got nan or infinity in epoch {len(table)} of seed {seed}: "
            f"try a learning_rate below {training.learning_rate}"
        )
    return table


def steps_per_epoch(train: Arrays, training: Training) -> int:
    return math.ceil(len(train["labels"]) / training.batch_size)


def class_weights(labels: NDArray[np.uint8], classes: int) -> NDArray[np.float32]:
    """n/(classes·n_c) of each class, float32 (classes,), so that all weigh the same and an example
    1 in the mean; scikit-learn's ``class_weight="balanced"``. labels: uint8 (n,), of all classes.
    """
    weights = len(labels) / (classes * np.bincount(labels, minlength=classes))
    return weights.astype(np.float32)


def optimizer(training: Training, steps: int) -> Any:
    """AdamW (Loshchilov & Hutter 2019) or Muon, its learning rate constant or warmed up and
    annealed by half a cosine to zero (Loshchilov & Hutter 2017). Without weight decay AdamW is
    Adam. Gradients are clipped together by their global norm (Pascanu, Mikolov & Bengio 2013).
    """
    import keras

    from glassnets.models.optimizers import AdamW, Muon  # imports Keras

    rate: Any = training.learning_rate
    if training.schedule == "cosine":
        warmup = round(training.warmup_epochs * steps)
        rate = keras.optimizers.schedules.CosineDecay(
            initial_learning_rate=0.0 if warmup else rate,
            decay_steps=training.epochs * steps - warmup,
            warmup_target=rate if warmup else None,
            warmup_steps=warmup,
        )
    common = {
        "weight_decay": training.weight_decay,
        "global_clipnorm": training.global_clipnorm,
        "use_ema": training.ema_momentum > 0,
        "ema_momentum": training.ema_momentum,
    }
    if training.muon is None:
        return AdamW(rate, **common)
    return Muon(
        rate,
        momentum=training.muon.momentum,
        adam_lr_ratio=training.muon.adam_lr_ratio,
        adam_weight_decay=training.weight_decay,
        exclude_layers=["logits"],
        **common,
    )


def batches(train: Arrays, classes: int, training: Training, seed: int) -> Any:
    """A tf.data.Dataset of (images float32 (b, h, w), one-hot labels float32 (b, classes)), all
    epochs in one: every epoch shuffled anew, every batch augmented by a draw of its own. With a
    ``class_weight`` the weights float32 (b,) come third.
    """
    import tensorflow as tf

    # Shuffling row numbers and gathering whole batches is far cheaper than shuffling images.
    images, labels = tf.constant(train["images"]), tf.constant(train["labels"])
    rows = len(train["labels"])
    weights = None
    if training.class_weight is not None:
        weights = tf.constant(class_weights(train["labels"], classes)[train["labels"]])
    augmentation = training.augmentation
    ramp = augmentation.ramp_epochs * steps_per_epoch(train, training) if augmentation else 0

    def batch(step: Any, row: Any) -> Any:
        chosen = tf.cast(tf.gather(images, row), tf.float32)
        if augmentation is not None:
            share = tf.minimum(tf.cast(step, tf.float32) / ramp, 1) if ramp else 1.0
            chosen = augment(chosen, augmentation, (seed, step), share)
        one_hot = tf.one_hot(tf.gather(labels, row), classes)
        return (chosen, one_hot) if weights is None else (chosen, one_hot, tf.gather(weights, row))

    return (
        tf.data.Dataset.range(rows)
        .shuffle(rows, seed=seed, reshuffle_each_iteration=True)
        .batch(training.batch_size)
        .repeat(training.epochs)
        .enumerate()
        .map(tf.autograph.experimental.do_not_convert(batch))  # it has no branch to convert
        .prefetch(tf.data.AUTOTUNE)
    )
