"""Does a map depend on what the network learnt? Rank correlation with maps of other weights.

A method whose maps hardly change when the weights are drawn anew, or when the network memorised
shuffled labels, shows the image and not what the network computes. Adebayo, Gilmer, Muelly,
Goodfellow, Hardt & Kim (2018), "Sanity checks for saliency maps".
"""

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.stats import rankdata

from glassnets.attribution.methods.method import Options
from glassnets.attribution.metrics.metric import Judged, Scores, Values, in_first, metric
from glassnets.attribution.network import Floats
from glassnets.config.schema import Positive
from glassnets.errors import GlassnetsError
from glassnets.runtime import concurrently

# The weights of each layer of a model, in the order of ``model.layers`` and of
# ``layer.get_weights()``: empty for a layer that has none.
LayerWeights = list[list[NDArray[Any]]]


class ParameterRandomization(Options):
    draws: Positive = 5  # of the weights, each for its own share of the images
    images: Positive = 50  # how many, from the first
    cascade_images: Positive = 5  # of these, judged at every stage too: 2·groups − 2 maps a method


@metric(ParameterRandomization)
def parameter_randomization(judged: Judged, options: ParameterRandomization, seed: int) -> Scores:
    """Spearman's rank correlation of maps before and after weights are drawn anew, signed and of
    absolute values: near 0 is better.

    Adebayo et al. (2018), §3.1: *cascading*, from the logits down to the first layer, one more
    group of layers at each stage, and *independent*, one group alone. A group is a layer and the
    normalisations after it (see `groups`). ``parameter_randomization_…``: all weights drawn anew,
    the end of the cascade; for fewer images ``cascading_randomization_…`` and
    ``independent_randomization_…``, means over its stages and over the groups, and
    ``cascading_randomization_curve_signed`` (n, groups), stage by stage.

    Image i is explained with the draw i mod draws alone: for the same work, many images with one
    draw each give a more precise mean than few images with many. The class explained stays the
    one that the trained network predicted. The model's weights are restored. Raises GlassnetsError
    where drawing anew did not change the weights.
    """
    images = min(options.images, len(judged.images))
    few = min(options.cascade_images, images)
    draws = np.random.SeedSequence(seed).generate_state(min(options.draws, images)).tolist()
    with judged.other_weights() as model:
        random = drawn_at_random(model)
        members = groups(random)
        end = np.empty((len(judged.maps), 2, images))
        # The cascade before its end, and each group alone; the first alone begins the cascade.
        stages = np.empty((2, len(members) - 1, len(judged.maps), 2, few))
        for i, draw in enumerate(draws):
            fresh = redrawn(model, draw)
            check_changed(model, fresh, random)
            if i < few:
                share = slice(i, few, options.draws)
                correlations = _with_current_weights(judged, share)
                _fill_stages(model, fresh, members, correlations, stages[..., share])
            share = slice(i, images, options.draws)
            with judged.other_weights():
                _assign(model, fresh, range(len(fresh)))
                end[..., share] = _with_current_weights(judged, share)()
    cascading = np.concatenate([stages[0], end[np.newaxis, ..., :few]])
    independent = np.concatenate([cascading[:1], stages[1]])
    scores = _by_method(
        judged,
        parameter_randomization=end,
        cascading_randomization=cascading.mean(axis=0),
        independent_randomization=independent.mean(axis=0),
    )
    for own, curve in zip(scores.values(), cascading[:, :, 0].transpose(1, 2, 0), strict=True):
        own["cascading_randomization_curve_signed"] = in_first(curve, len(judged.images))
    return scores


def _fill_stages(
    model: Any,
    fresh: LayerWeights,
    members: list[list[int]],
    correlations: Callable[[], Values],
    stages: Values,
) -> None:
    """Fills stages (2, groups − 1, methods, 2, k) with correlations: with fresh weights in one more
    group each time, except the last; and in each group alone, except the first. The model's weights
    are restored.
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


class LabelRandomization(Options):
    images: Positive = 100  # how many, from the first


@metric(LabelRandomization)
def label_randomization(judged: Judged, options: LabelRandomization, seed: int) -> Scores:
    """Spearman's rank correlation of the network's map and the map of a network of the same shape
    that memorised shuffled labels, signed and of absolute values: near 0 is better.

    Adebayo et al. (2018), §3.2. The class explained is the one that the network predicted, in both.
    No scores where ``judged.memorised`` is None. The model's weights are restored.
    """
    if judged.memorised is None:
        return {method: {} for method in judged.maps}
    correlations = _with_current_weights(judged, slice(options.images))
    with judged.other_weights() as model:
        model.set_weights(judged.memorised)
        return _by_method(judged, label_randomization=correlations())


def _with_current_weights(judged: Judged, chosen: slice) -> Callable[[], Values]:
    """A function that explains k chosen images with the weights the network has when it is called,
    and correlates the maps with the judged ones: (methods, 2, k), signed and unsigned."""
    images, targets = judged.images[chosen], judged.targets[chosen]
    before = {method: ranked(maps[chosen]) for method, maps in judged.maps.items()}

    def of_method(method: str) -> Values:
        return rank_correlations(before[method], ranked(judged.attribute(method, images, targets)))

    return lambda: np.stack(concurrently(of_method, before))


def _by_method(judged: Judged, **correlations: Values) -> Scores:
    """Correlations (methods, 2, k), signed and unsigned, by name → scores."""
    return {
        method: {
            f"{name}_{kind}": in_first(values[i, j], len(judged.images))
            for name, values in correlations.items()
            for j, kind in enumerate(("signed", "unsigned"))
        }
        for i, method in enumerate(judged.maps)
    }


# Rank correlation


class Ranked(NamedTuple):
    """Maps, signed and absolute, and the ranks of their pixels: both (2, k, pixels).

    Equal pixels share the mean of their ranks; the mean of all ranks is subtracted.
    """

    values: Floats
    ranks: Values


def ranked(maps: Floats) -> Ranked:
    """The ranks of maps (k, h, w), for `rank_correlations`."""
    flat = maps.reshape(len(maps), -1)
    values = np.stack([flat, np.abs(flat)])
    return Ranked(values, rankdata(values, axis=2) - (flat.shape[1] + 1) / 2)


def rank_correlations(before: Ranked, after: Ranked) -> Values:
    """Spearman's rank correlation of each map before with the one after: float64 (2, k), signed
    and of absolute values.

    With a constant map it is not defined: 1 where both maps are equal, else 0.
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
    """Fresh weights for every layer of a Keras model, by the layer's own initialisers and another
    seed. They depend on the seed alone; neither the model nor any global random state changes.

    Each layer, and each layer within it, is built a second time from its configuration with every
    seed replaced. The inner ones too, because a layer that passes one configuration to several
    parts (the projections of attention, the directions of Bidirectional) would give all one seed.
    """
    rng = np.random.default_rng(seed)
    values: dict[int, NDArray[Any]] = {}
    for layer in model.layers:
        # Outer layers come first, so that a part's own draw replaces the shared one. Keras has no
        # public name for the layers within a layer.
        for part in layer._flatten_layers():
            if part.weights:
                values |= _drawn_for(part, rng)
    return [[values[id(weight)] for weight in layer.weights] for layer in model.layers]


def _drawn_for(layer: Any, rng: np.random.Generator) -> dict[int, NDArray[Any]]:
    """A draw of the layer's weights, by the weight's id()."""
    second = type(layer).from_config(_seeded(layer.get_config(), rng))
    second.build_from_config(layer.get_build_config())
    drawn = second.get_weights()
    return {id(weight): value for weight, value in zip(layer.weights, drawn, strict=True)}


def _seeded(config: Any, rng: np.random.Generator) -> Any:
    """The configuration with a new number for each seed."""
    if isinstance(config, dict):
        return {
            key: int(rng.integers(2**31)) if key == "seed" else _seeded(value, rng)
            for key, value in config.items()
        }
    return [_seeded(item, rng) for item in config] if isinstance(config, list) else config


def drawn_at_random(model: Any) -> list[list[bool]]:
    """For each weight of each layer, whether its initialiser is random: two draws differ."""
    draws = zip(redrawn(model, 0), redrawn(model, 1), strict=True)
    return [
        [not np.array_equal(a, b) for a, b in zip(one, other, strict=True)] for one, other in draws
    ]


def groups(random: Sequence[Sequence[bool]]) -> list[list[int]]:
    """Indices of the layers that have weights, in groups, the last layer's group first.

    random: for each weight of each layer, in the order of ``model.layers``, whether it is drawn at
    random. A layer without a random weight (normalisation starts from ones and zeros) joins the
    layer with weights before it, so that every group has a random weight. Raises GlassnetsError
    where no weight is random.
    """
    result: list[list[int]] = []
    leading: list[int] = []  # constant layers before the first random one
    for i, layer in enumerate(random):
        if any(layer):
            result.append([*leading, i])
            leading = []
        elif layer:
            (result[-1] if result else leading).append(i)
    if not result:
        raise GlassnetsError(
            "expected a network with weights that are drawn at random at first, got none: give its "
            "layers random initialisers, or leave out parameter_randomization"
        )
    return result[::-1]


def check_changed(model: Any, fresh: LayerWeights, random: Sequence[Sequence[bool]]) -> None:
    """Raises GlassnetsError where a trainable layer, or a weight that is drawn at random, is the
    same in fresh and in the model: correlations would then compare a network with itself.
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
