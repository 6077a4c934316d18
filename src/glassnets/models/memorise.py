"""Networks that memorise shuffled labels, which a method must tell from trained ones."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnets.config.schema import Memorise, Training
from glassnets.models import training


def memorise(
    build: Callable[[int], Any],
    seeds: Sequence[int],
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    options: Memorise,
) -> Iterator[tuple[Any, float]]:
    """Trains a network for each seed on shuffled labels: the model, and its accuracy on them.

    The model is the same object each time, with the weights of this seed. Training stops after
    the first epoch after which the accuracy on the shuffled labels, in inference mode, is what
    options say, else after options.epochs: whether that is enough is the caller's to say. Adam, no
    augmentation, the dropout that the network has.

    build: makes a Keras model anew from a seed; what it learns depends on that seed alone.
    seeds: of the networks; each also shuffles the labels.
    images: uint8 (n, h, w), the training part, of which options.images are taken.
    labels: uint8 (n,), shuffled among the images that are taken.
    options: how many images, how long, how fast.

    Zhang, Bengio, Hardt, Recht & Vinyals (2017), "Understanding deep learning requires rethinking
    generalization", §2.
    """
    import keras
    import tensorflow as tf

    from glassnets.models.layers import standardize  # imports Keras

    count = min(options.images, len(labels))
    adam = Training(
        epochs=options.epochs,
        batch_size=options.batch_size,
        learning_rate=options.learning_rate,
        schedule="constant",
        warmup_epochs=0,
        weight_decay=0,
        muon=None,
        label_smoothing=0,
        global_clipnorm=None,
        ema_momentum=0,
        augmentation=None,
    )
    steps = training.steps_per_epoch({"labels": labels[:count]}, adam)
    accuracy = 0.0
    model: Any = None

    def stop_when_memorised(_: int, logs: dict[str, float]) -> None:
        nonlocal accuracy
        accuracy = round(logs["val_accuracy"] * count) / count  # Keras gives it as float32
        model.stop_training = accuracy >= options.accuracy

    for seed in seeds:
        fresh = build(seed)
        standardize(fresh, images)
        if model is None:
            model = fresh
            optimizer = training.optimizer(adam, steps)
            optimizer.build(model.trainable_variables)
            unused = [variable.numpy() for variable in optimizer.variables]
            model.compile(
                optimizer=optimizer,
                loss=keras.losses.CategoricalCrossentropy(from_logits=True),
                metrics=["accuracy"],
                jit_compile=False,
            )
        else:
            # To begin again in the model that is compiled: compiling takes longer than learning.
            new = [*unused, *(variable.numpy() for variable in fresh.variables)]
            old = [*optimizer.variables, *model.variables]
            for variable, value in zip(old, new, strict=True):
                variable.assign(value)
        shuffled = np.random.default_rng(seed).permutation(labels[:count])
        train = {"images": images[:count], "labels": shuffled}
        classes = model.output_shape[-1]
        whole = tf.data.Dataset.from_tensors((images[:count], tf.one_hot(shuffled, classes)))
        model.fit(
            training.batches(train, classes, adam, seed),
            epochs=options.epochs,
            steps_per_epoch=steps,
            validation_data=whole,
            shuffle=False,  # the batches come shuffled
            verbose=0,
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=stop_when_memorised)],
        )
        yield model, accuracy
