"""Does a map notice when the network knows nothing? Maps before and after, by rank correlation.

A method whose maps hardly change when the weights are drawn anew, or when the network learnt
nonsense, shows the image and not what the network does with it. Adebayo, Gilmer, Muelly,
Goodfellow, Hardt & Kim (2018), "Sanity checks for saliency maps".
"""

from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from pydantic import Field
from scipy.stats import rankdata

from glassnets import training
from glassnets.errors import GlassnetsError
from glassnets.explanations.method import Options
from glassnets.explanations.network import Floats
from glassnets.params import Positive, Strict, Training
from glassnets.trust.metric import Judged, Scores, Values, in_first, metric

# The weights of each layer of a model, in the order of ``model.layers`` and of
# ``layer.get_weights()``: empty for a layer that has none.
LayerWeights = list[list[NDArray[Any]]]


class ParameterRandomization(Options):
    draws: Positive = 5  # of the weights, each for its own share of the images
    images: Positive = 50  # the first so many
    cascade_images: Positive = 5  # of these, seen at every stage too: 2·groups − 2 maps a method


@metric(ParameterRandomization)
def parameter_randomization(judged: Judged, options: ParameterRandomization, seed: int) -> Scores:
    """Spearman's rank correlation of the map before and after weights are drawn anew, as signed
    and of the absolute values: a map that tells of the network comes near 0.

    Adebayo et al. (2018), §3.1: *cascading*, from the logits down to the first layer, a group of
    layers more at each stage, and *independent*, one group alone. A group is a layer and the
    normalisations after it (see `groups`). ``parameter_randomization_…``: when nothing is left of
    what was learnt, the end of the cascade; for fewer images ``cascading_randomization_…`` and
    ``independent_randomization_…``, means over its stages and over the groups, and
    ``cascading_randomization_curve_signed`` (n, groups), stage by stage.

    Image i is explained with the draw i mod draws alone: for the same work, many images with a
    draw each tell more than few images with many. The class explained stays the one that the
    trained network answered. The weights are as before when it ends. Raises GlassnetsError where
    drawing anew did not change the weights.
    """
    images = min(options.images, len(judged.images))
    few = min(options.cascade_images, images)
    draws = np.random.SeedSequence(seed).generate_state(min(options.draws, images)).tolist()
    with judged.other_weights() as model:
        random = drawn_at_random(model)
        members = groups(random)
        end = np.empty((len(judged.maps), 2, images))
        # The cascade before its end, and the groups alone but the first, which begins the cascade.
        stages = np.empty((2, len(members) - 1, len(judged.maps), 2, few))
        for i, draw in enumerate(draws):
            fresh = redrawn(model, draw)
            check_changed(model, fresh, random)
            if i < few:
                share = slice(i, few, options.draws)
                now = _with_the_maps_of_now(judged, share)
                _see_stages(model, fresh, members, now, stages[..., share])
            share = slice(i, images, options.draws)
            with judged.other_weights():
                _assign(model, fresh, range(len(fresh)))
                end[..., share] = _with_the_maps_of_now(judged, share)()
    cascading = np.concatenate([stages[0], end[np.newaxis, ..., :few]])
    independent = np.concatenate([cascading[:1], stages[1]])
    scores = _by_method(
        judged,
        parameter_randomization=end,
        cascading_randomization=cascading.mean(axis=0),
        independent_randomization=independent.mean(axis=0),
    )
    for figures, curve in zip(scores.values(), cascading[:, :, 0].transpose(1, 2, 0), strict=True):
        figures["cascading_randomization_curve_signed"] = in_first(curve, len(judged.images))
    return scores


def _see_stages(
    model: Any,
    fresh: LayerWeights,
    members: list[list[int]],
    correlations: Callable[[], Values],
    stages: Values,
) -> None:
    """Fills stages (2, groups − 1, methods, 2, k) with the correlations: fresh weights in a group
    more each time, short of all; in each group alone after the first. The model ends with the
    weights it began with.
    """
    kept = [layer.get_weights() for layer in model.layers]
    cascading, independent = stages
    for i, group in enumerate(members[:-1]):
        _assign(model, fresh, group)
        cascading[i] = correlations()
    _assign(model, kept, range(len(kept)))
    for i, group in enumerate(members[1:]):
        _assign(model, fresh, group)
        independent[i] = correlations()
        _assign(model, kept, group)


class Memorising(Strict):
    """How a network learns shuffled labels by heart: see `memorise`."""

    images: Positive = 200  # the first so many of the training part
    accuracy: Annotated[float, Field(gt=0, le=1)] = 0.99  # of them, at which it stops
    epochs: Positive = 300  # at most
    batch_size: Positive = 32
    learning_rate: Annotated[float, Field(gt=0, le=10)] = 0.003


class LabelRandomization(Options):
    images: Positive = 100  # the first so many
    memorising: Memorising = Memorising()


@metric(LabelRandomization)
def label_randomization(judged: Judged, options: LabelRandomization, seed: int) -> Scores:
    """Spearman's rank correlation of the network's map and the map of a network of the same shape
    that learnt shuffled labels by heart, as signed and of the absolute values: near 0 is better.

    Adebayo et al. (2018), §3.2. The class explained is the one that the network answered, in both.
    No figures where ``judged.memorised`` is None. The weights are as before when it ends.
    """
    if judged.memorised is None:
        return {method: {} for method in judged.maps}
    correlations = _with_the_maps_of_now(judged, slice(options.images))
    with judged.other_weights() as model:
        model.set_weights(judged.memorised)
        return _by_method(judged, label_randomization=correlations())


def _with_the_maps_of_now(judged: Judged, chosen: slice) -> Callable[[], Values]:
    """A function that explains k chosen images anew, with the weights the network has then, and
    correlates the maps with those it had: (methods, 2, k), signed and unsigned."""
    images, targets = judged.images[chosen], judged.targets[chosen]
    before = {method: ranked(maps[chosen]) for method, maps in judged.maps.items()}

    def correlations() -> Values:
        return np.stack(
            [
                rank_correlations(was, ranked(judged.explain(method, images, targets)))
                for method, was in before.items()
            ]
        )

    return correlations


def _by_method(judged: Judged, **figures: Values) -> Scores:
    """figures (methods, 2, k), signed and unsigned → scores."""
    return {
        method: {
            f"{name}_{kind}": in_first(values[i, j], len(judged.images))
            for name, values in figures.items()
            for j, kind in enumerate(("signed", "unsigned"))
        }
        for i, method in enumerate(judged.maps)
    }


# Rank correlation


class Ranked(NamedTuple):
    """Maps as signed and as absolute values, and the ranks of their pixels: both (2, k, pixels).

    Equal pixels share the mean of their ranks, and ranks are counted from their mean.
    """

    values: Floats
    ranks: Values


def ranked(maps: Floats) -> Ranked:
    """Maps (k, h, w), ready to be correlated."""
    flat = maps.reshape(len(maps), -1)
    values = np.stack([flat, np.abs(flat)])
    return Ranked(values, rankdata(values, axis=2) - (flat.shape[1] + 1) / 2)


def rank_correlations(before: Ranked, after: Ranked) -> Values:
    """Spearman's rank correlation of each map with its other: float64 (2, k), first as signed,
    then of the absolute values.

    A constant map has no ranks to correlate: it counts as 1 where both maps are equal, else as 0.
    """
    # Ranks are multiples of ½, so these sums are exact, and equal maps give exactly 1.
    product, left, right = (
        np.einsum("vkp,vkp->vk", a.ranks, b.ranks)
        for a, b in ((before, after), (before, before), (after, after))
    )
    equal = (before.values == after.values).all(axis=2).astype(np.float64)
    correlations: Values = np.divide(
        product, np.sqrt(left * right), out=equal, where=left * right > 0
    )
    return correlations


# Weights drawn anew


def redrawn(model: Any, seed: int) -> LayerWeights:
    """Fresh weights for every layer of a Keras model, from the layer's own initialisers: what its
    first weights were drawn from, with another seed. They depend on the seed alone; neither the
    model nor any global random state is touched.

    Each layer, and each layer within it, is built a second time from its configuration, where
    every seed is set. Within, because a layer that hands one configuration to several parts (the
    projections of attention, the two directions of Bidirectional) would give them all one seed.
    """
    rng = np.random.default_rng(seed)
    values: dict[int, NDArray[Any]] = {}
    for layer in model.layers:
        # Outer layers come first, so a part's own draw replaces the one it shared. Keras has no
        # public name for the layers within a layer.
        for part in layer._flatten_layers():
            if part.weights:
                values |= _drawn_for(part, rng)
    return [[values[id(weight)] for weight in layer.weights] for layer in model.layers]


def _drawn_for(layer: Any, rng: np.random.Generator) -> dict[int, NDArray[Any]]:
    """A draw of the layer's weights, by the identity of the weight."""
    second = type(layer).from_config(_seeded(layer.get_config(), rng))
    second.build_from_config(layer.get_build_config())
    drawn = second.get_weights()
    return {id(weight): value for weight, value in zip(layer.weights, drawn, strict=True)}


def _seeded(config: Any, rng: np.random.Generator) -> Any:
    """The configuration with a new number wherever it has a seed."""
    if isinstance(config, dict):
        return {
            key: int(rng.integers(2**31)) if key == "seed" else _seeded(value, rng)
            for key, value in config.items()
        }
    return [_seeded(item, rng) for item in config] if isinstance(config, list) else config


def drawn_at_random(model: Any) -> list[list[bool]]:
    """Of the weights of each layer, whether the initialiser draws at random: two draws differ."""
    draws = zip(redrawn(model, 0), redrawn(model, 1), strict=True)
    return [
        [not np.array_equal(a, b) for a, b in zip(one, other, strict=True)] for one, other in draws
    ]


def groups(random: Sequence[Sequence[bool]]) -> list[list[int]]:
    """Places of the layers that have weights, in groups, the last layer's group first.

    random says of the weights of each layer, from the image to the logits (as ``model.layers``
    has them), whether they are drawn at random. A layer none of whose weights are (normalisation
    starts from ones and zeros) joins the layer with weights before it, so that every group holds
    something random. Raises GlassnetsError where nothing is.
    """
    found: list[list[int]] = []
    leading: list[int] = []  # constant layers before the first random one
    for i, layer in enumerate(random):
        if any(layer):
            found.append([*leading, i])
            leading = []
        elif layer:
            (found[-1] if found else leading).append(i)
    if not found:
        raise GlassnetsError(
            "expected a network with weights that are drawn at random at first, got none: say "
            "which initialisers its layers have, or leave out parameter_randomization"
        )
    return found[::-1]


def check_changed(model: Any, fresh: LayerWeights, random: Sequence[Sequence[bool]]) -> None:
    """Raises GlassnetsError where a layer that learns, or a weight that is drawn at random, is in
    fresh as it is in the model: then correlations would judge a network that is still the old one.
    """
    for layer, new, drawn in zip(model.layers, fresh, random, strict=True):
        same = [np.array_equal(a, b) for a, b in zip(layer.get_weights(), new, strict=True)]
        if (layer.trainable_weights and all(same)) or any(np.logical_and(same, drawn)):
            raise GlassnetsError(
                f"expected weights of the layer '{layer.name}' other than the trained ones after "
                f"drawing them anew, got the same: train it, or leave out parameter_randomization"
            )


def _assign(model: Any, weights: LayerWeights, layers: Sequence[int]) -> None:
    for i in layers:
        model.layers[i].set_weights(weights[i])


# Shuffled labels


def memorise(
    build: Callable[[int], Any],
    seeds: Sequence[int],
    images: NDArray[np.uint8],
    labels: NDArray[np.uint8],
    options: Memorising,
) -> Iterator[tuple[list[NDArray[Any]], float]]:
    """Teaches a network for each seed shuffled labels by heart: its weights (as
    ``model.get_weights()``), and the accuracy it reached on them.

    build makes a Keras model anew from a seed; what it learns depends on that seed alone. It is
    trained with the dropout it has. images uint8 (n, h, w) and labels (n,) are the training part,
    of which options.images are taken. The labels are shuffled among them; Adam, no augmentation.
    It stops after the first epoch after which the accuracy on the shuffled labels, as the network
    answers at test time, is what options say, else after options.epochs: whether that is enough is
    the caller's to say. Zhang, Bengio, Hardt, Recht & Vinyals (2017), "Understanding deep learning
    requires rethinking generalization", §2.
    """
    import keras
    import tensorflow as tf

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
    known = 0.0
    model: Any = None

    def stop_when_known(_: int, logs: dict[str, float]) -> None:
        nonlocal known
        known = round(logs["val_accuracy"] * count) / count  # Keras gives it as float32
        model.stop_training = known >= options.accuracy

    for seed in seeds:
        fresh = build(seed)
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
            callbacks=[keras.callbacks.LambdaCallback(on_epoch_end=stop_when_known)],
        )
        yield model.get_weights(), known
