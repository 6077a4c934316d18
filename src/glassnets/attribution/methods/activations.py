"""Methods that use a network's named activations: feature maps, attention, steps in time."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from glassnets.attribution.methods.gradients import at_image
from glassnets.attribution.methods.method import Need, Options, Referenced, method
from glassnets.attribution.network import Explained, Floats, Reading, Targets
from glassnets.attribution.references import fills
from glassnets.config.schema import Positive
from glassnets.errors import GlassnetsError, ParameterError


class ClassActivation(Options):
    layer: str | None = None  # name of the feature maps; null takes the last


@method(ClassActivation, Need.FEATURE_MAPS)
def grad_cam(
    network: Explained, images: Floats, targets: Targets, options: ClassActivation, seed: int
) -> Floats:
    """ReLU(Σ_c w_c A_c), w_c the mean over space of ∂f/∂A_c, enlarged bilinearly; never negative.

    Selvaraju et al. (2017), "Grad-CAM: visual explanations from deep networks via gradient-based
    localization", eq. 1–2.
    """
    return _class_activation_map(network, images, targets, options, _grad_cam)


@method(ClassActivation, Need.FEATURE_MAPS)
def grad_cam_plus_plus(
    network: Explained, images: Floats, targets: Targets, options: ClassActivation, seed: int
) -> Floats:
    """ReLU(Σ_c w_c A_c), w_c = Σ_ij α_ijc ReLU(g_ijc), α = g²/(2g² + g³·Σ_ab A_abc), g = ∂f/∂A,
    enlarged bilinearly; never negative.

    Chattopadhay, Sarkar, Howlader & Balasubramanian (2018), "Grad-CAM++", eq. 5, 10 and 19,
    without the factor exp(f), which is the same for all pixels of an image.
    """
    return _class_activation_map(network, images, targets, options, _grad_cam_plus_plus)


def _class_activation_map(
    network: Explained, images: Floats, targets: Targets, options: ClassActivation, cam: Reading
) -> Floats:
    import tensorflow as tf

    layer = options.layer or network.feature_maps[-1]
    if layer not in network.feature_maps:
        raise ParameterError(
            f"grad_cam: layer: expected one of {', '.join(network.feature_maps)}, got '{layer}'"
        )
    maps = network.read(images, targets, (layer,), cam)  # (n, rows, columns)
    enlarged: Floats = tf.image.resize(maps[..., np.newaxis], network.image_shape).numpy()[..., 0]
    return enlarged


def _grad_cam(values: list[Any], gradients: list[Any]) -> Any:
    import tensorflow as tf

    (a,), (g,) = values, gradients  # (n, rows, columns, channels)
    weights = tf.reduce_mean(g, axis=(1, 2))  # (n, channels)
    return tf.nn.relu(tf.linalg.matvec(a, weights[:, tf.newaxis]))


def _grad_cam_plus_plus(values: list[Any], gradients: list[Any]) -> Any:
    import tensorflow as tf

    (a,), (g,) = values, gradients  # (n, rows, columns, channels)
    total = tf.reduce_sum(a, axis=(1, 2), keepdims=True)
    alpha = tf.math.divide_no_nan(g**2, 2 * g**2 + g**3 * total)
    weights = tf.reduce_sum(alpha * tf.nn.relu(g), axis=(1, 2))  # (n, channels)
    return tf.nn.relu(tf.linalg.matvec(a, weights[:, tf.newaxis]))


@method(need=Need.ATTENTION)
def attention_rollout(
    network: Explained, images: Floats, targets: Targets, options: Options, seed: int
) -> Floats:
    """Mean over the last tokens of Ã_L ⋯ Ã_1, Ã = ½(A + I), A the mean of the heads: how much of
    each token reaches the pooled last ones; never negative, the same for every class.

    Abnar & Zuidema (2020), "Quantifying attention flow in transformers", eq. 1, and the mean of
    all rows because the families pool all tokens.
    """
    return _of_tokens(network, network.read(images, targets, network.attentions, _rollout))


def _rollout(values: list[Any], gradients: list[Any]) -> Any:
    import tensorflow as tf

    tokens = values[0].shape[-1]
    pooled = tf.fill((tf.shape(values[0])[0], tokens), 1 / tokens)  # (n, t): all tokens alike
    for attention in reversed(values):  # (n, heads, t, t)
        mean = tf.reduce_mean(attention, axis=1)
        pooled = (tf.linalg.matvec(mean, pooled, transpose_a=True) + pooled) / 2
    return pooled


@method(need=Need.ATTENTION)
def attention_relevance(
    network: Explained, images: Floats, targets: Targets, options: Options, seed: int
) -> Floats:
    """Mean over the last tokens of R − I, R = (I + Ā_L) ⋯ (I + Ā_1), Ā the mean over heads of
    (A ⊙ ∂f/∂A)⁺; never negative.

    Chefer, Gur & Wolf (2021), "Generic attention-model explainability for interpreting bi-modal
    and encoder-decoder transformers", eq. 1 and 5–6; the mean of all rows because the families
    pool all tokens, and without the I from which R starts, which is the same for every image.
    """
    return _of_tokens(network, network.read(images, targets, network.attentions, _relevance))


def _relevance(values: list[Any], gradients: list[Any]) -> Any:
    import tensorflow as tf

    tokens = values[0].shape[-1]
    start = pooled = tf.fill((tf.shape(values[0])[0], tokens), 1 / tokens)
    for attention, slope in zip(reversed(values), reversed(gradients), strict=True):
        mean = tf.reduce_mean(tf.nn.relu(attention * slope), axis=1)  # (n, t, t)
        pooled += tf.linalg.matvec(mean, pooled, transpose_a=True)
    return pooled - start


def _of_tokens(network: Explained, relevance: Floats) -> Floats:
    """Tokens' relevance (n, t) as maps (n, h, w): a pixel takes the mean of the tokens that depend
    on it, and 0 where none does."""
    pixels = network.footprints.astype(np.float32)  # (t, h, w)
    return np.tensordot(relevance, pixels / np.maximum(pixels.sum(axis=0), 1), 1)


class TemporalSaliencyRescaling(Referenced):
    draws: Positive = 5


@method(TemporalSaliencyRescaling, Need.SEQUENCE)
def temporal_saliency_rescaling(
    network: Explained,
    images: Floats,
    targets: Targets,
    options: TemporalSaliencyRescaling,
    seed: int,
) -> Floats:
    """Δ_t·Δ_i for the pixel that is feature i of step t: Δ is how much the gradient R = ∂f/∂x
    changes, Σ|R(x) − R(x̄)|, when all of step t, or feature i of all steps, is hidden; never
    negative.

    Ismail, Gunady, Corrada Bravo & Feizi (2020), "Benchmarking deep learning interpretability in
    time series predictions", algorithm 1 over the plain gradient, with α = 0: every feature is
    scored. Changes are means over draws. Costs a gradient for the image, and for each step, feature
    and draw.
    """
    step, feature = _steps_and_features(network.footprints)
    hidden = np.concatenate(
        [step == i for i in range(step.max() + 1)]
        + [feature == i for i in range(feature.max() + 1)]
    ).reshape(-1, *network.image_shape)
    kept = np.float32(1) - hidden
    fill = fills(network, images, options.reference, options.draws, seed)
    intact = at_image(network, images, targets)
    draws = range(fill.shape[1])
    changes = sum(
        network.gradient_changes(images, targets, kept, fill[:, draw : draw + 1], intact)
        for draw in draws
    ) / np.float32(len(draws))
    steps, features = np.split(changes, [step.max() + 1], axis=1)
    product: Floats = steps[:, step] * features[:, feature]
    return product


def _steps_and_features(
    footprints: NDArray[np.bool_],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Each pixel's step, and its place among the pixels of that step: int64 (h, w) both."""
    if not (footprints.sum(axis=0) == 1).all():
        raise GlassnetsError(
            "temporal_saliency_rescaling: expected every pixel in exactly one of the tokens, got "
            "pixels in none or in several"
        )
    step = footprints.argmax(axis=0)
    before = np.cumsum(footprints.reshape(len(footprints), -1), axis=1).reshape(footprints.shape)
    feature = np.take_along_axis(before, step[np.newaxis], axis=0)[0] - 1
    return step, feature
