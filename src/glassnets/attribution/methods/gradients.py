"""Methods that use the gradient, by the pixels, of what is explained: f."""

from typing import Annotated

import numpy as np
from pydantic import Field

from glassnets.attribution.methods.method import Need, Options, Referenced, method
from glassnets.attribution.network import Explained, Floats, Targets
from glassnets.attribution.references import fills
from glassnets.config.schema import Positive

_ONE = np.ones((1, 1, 1), np.float32)


def at_image(network: Explained, images: Floats, targets: Targets) -> Floats:
    """∂f/∂x at the images themselves, float32 (n, h, w[, c])."""
    nothing = np.zeros((1,) * (2 + len(network.input_shape)), np.float32)
    return network.mean_gradient(images, targets, _ONE, nothing)


def _sensitivity(network: Explained, gradients: Floats) -> Floats:
    """Maps of gradients: in logits a grey level; of other kinds than images, a span."""
    return network.of_players(gradients if network.kind == "image" else gradients * network.span)


@method(need=Need.GRADIENTS, sensitivity=True)
def gradient(
    network: Explained, images: Floats, targets: Targets, options: Options, seed: int
) -> Floats:
    """∂f/∂x, in logits a grey level, or for tables and series in logits a range of the training
    data. Simonyan, Vedaldi & Zisserman (2014), "Deep inside
    convolutional networks", eq. 3–5, signed.
    """
    return _sensitivity(network, at_image(network, images, targets))


class GradientXInput(Referenced):
    draws: Positive = 50


@method(GradientXInput, Need.GRADIENTS)
def gradient_x_input(
    network: Explained, images: Floats, targets: Targets, options: GradientXInput, seed: int
) -> Floats:
    """(x − r) ⊙ ∂f/∂x, r the reference, or the mean of the draws. Shrikumar, Greenside, Shcherbina
    & Kundaje (2016), "Not just a black box", where r is black.
    """
    fill: Floats = fills(network, images, options.reference, options.draws, seed).mean(axis=1)
    return network.of_players((images - fill) * at_image(network, images, targets))


class IntegratedGradients(Referenced):
    steps: Positive = 50  # gradients; each has a draw of its own


@method(IntegratedGradients, Need.GRADIENTS, complete=True)
def integrated_gradients(
    network: Explained, images: Floats, targets: Targets, options: IntegratedGradients, seed: int
) -> Floats:
    """(x − r) ⊙ ∫₀¹ ∂f/∂x (r + α(x − r)) dα; sums to f(x) − f(r).

    Sundararajan, Taly & Yan (2017), "Axiomatic attribution for deep networks", eq. 1, the
    integral by the midpoint rule, α = (k − ½)/steps: a gradient a step. With draws for a reference
    it is *expected gradients*, E[(x − r) ⊙ ∂f/∂x (r + α(x − r))], r a training image, α uniform in
    0…1; in expectation it sums to f(x) − E f(r): Erion, Janizek, Sturmfels, Lundberg & Lee (2021),
    "Improving performance of deep learning models with axiomatic attribution priors and expected
    gradients", eq. 2. α is drawn once from each of `steps` equal parts of 0…1, which leaves the
    expectation and lowers the variance; the draws are the same for every image.
    """
    fill = fills(network, images, options.reference, options.steps, seed)
    places = np.full(options.steps, 0.5)
    if options.reference == "draws":
        places = np.random.default_rng([seed, 1]).random(options.steps)
    alpha = ((np.arange(options.steps) + places) / options.steps).astype(np.float32)
    scale = alpha[:, np.newaxis, np.newaxis]
    parts = network.mean_gradient(images, targets, scale, fill, times_difference=True)
    return network.of_players(parts)


class SmoothGrad(Options):
    draws: Positive = 50
    noise: Annotated[float, Field(gt=0, le=1)] = 0.15  # standard deviation, of an input's range


@method(SmoothGrad, Need.GRADIENTS, sensitivity=True)
def smoothgrad(
    network: Explained, images: Floats, targets: Targets, options: SmoothGrad, seed: int
) -> Floats:
    """E[∂f/∂x (x + ε)], ε normal. Smilkov, Thorat, Kim, Viégas & Wattenberg (2017),
    "SmoothGrad: removing noise by adding noise", §2. The draws are the same for every image.
    """
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((1, options.draws, *network.input_shape), np.float32)
    each = np.ones((options.draws, 1, 1), np.float32)
    fill = noise * np.asarray(options.noise * network.span, np.float32)
    mean = network.mean_gradient(images, targets, each, fill, filled=each)
    return _sensitivity(network, mean)
