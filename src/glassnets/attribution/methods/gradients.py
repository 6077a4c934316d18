"""Methods that use the gradient of the class logit by the pixels."""

from typing import Annotated

import numpy as np
from pydantic import Field

from glassnets.attribution.methods.method import Need, Options, method
from glassnets.attribution.network import Explained, Floats, Targets
from glassnets.config.schema import Positive

Pixel = Annotated[float, Field(ge=0, le=255)]

_ONE, _ZERO = np.ones((1, 1, 1), np.float32), np.zeros((1, 1, 1), np.float32)


@method(sensitivity=True)
def gradient(
    network: Explained, images: Floats, targets: Targets, options: Options, seed: int
) -> Floats:
    """∂f/∂x, in logits a grey level. Simonyan, Vedaldi & Zisserman (2014), "Deep inside
    convolutional networks", eq. 3–5, signed.
    """
    return network.mean_gradient(images, targets, _ONE, _ZERO)


@method()
def gradient_x_input(
    network: Explained, images: Floats, targets: Targets, options: Options, seed: int
) -> Floats:
    """x ⊙ ∂f/∂x. Shrikumar, Greenside, Shcherbina & Kundaje (2016), "Not just a black box"."""
    return images * network.mean_gradient(images, targets, _ONE, _ZERO)


class IntegratedGradients(Options):
    steps: Positive = 50
    reference: Pixel = 0.0


@method(IntegratedGradients, complete=True)
def integrated_gradients(
    network: Explained, images: Floats, targets: Targets, options: IntegratedGradients, seed: int
) -> Floats:
    """(x − b) ⊙ ∫₀¹ ∂f/∂x (b + α(x − b)) dα; sums to f(x) − f(b).

    Sundararajan, Taly & Yan (2017), "Axiomatic attribution for deep networks", eq. 1, the
    integral by the midpoint rule, α = (k − ½)/steps: a gradient a step.
    """
    alpha = ((np.arange(options.steps) + 0.5) / options.steps).astype(np.float32)[:, None, None]
    mean = network.mean_gradient(images, targets, alpha, (1 - alpha) * options.reference)
    return (images - np.float32(options.reference)) * mean


class ExpectedGradients(Options):
    draws: Positive = 200


@method(ExpectedGradients, Need.REFERENCES)
def expected_gradients(
    network: Explained, images: Floats, targets: Targets, options: ExpectedGradients, seed: int
) -> Floats:
    """E[(x − b) ⊙ ∂f/∂x (b + α(x − b))], b a training image, α uniform in 0…1; in expectation
    it sums to f(x) − E f(b).

    Erion, Janizek, Sturmfels, Lundberg & Lee (2021), "Improving performance of deep learning
    models with axiomatic attribution priors and expected gradients", eq. 2. α is drawn once from
    each of `draws` equal parts of 0…1, which leaves the expectation and lowers the variance; the
    draws are the same for every image.
    """
    assert network.references is not None  # the method's need
    rng = np.random.default_rng(seed)
    drawn = rng.integers(len(network.references), size=options.draws)
    references = network.references[drawn].astype(np.float32)
    places = (np.arange(options.draws) + rng.random(options.draws)) / options.draws
    alpha = places.astype(np.float32)[:, None, None]
    return network.mean_gradient(images, targets, alpha, (1 - alpha) * references, references)


class SmoothGrad(Options):
    draws: Positive = 50
    noise: Annotated[float, Field(gt=0, le=1)] = 0.15  # standard deviation, of the range 0…255


@method(SmoothGrad, sensitivity=True)
def smoothgrad(
    network: Explained, images: Floats, targets: Targets, options: SmoothGrad, seed: int
) -> Floats:
    """E[∂f/∂x (x + ε)], ε normal. Smilkov, Thorat, Kim, Viégas & Wattenberg (2017),
    "SmoothGrad: removing noise by adding noise", §2. The draws are the same for every image.
    """
    rng = np.random.default_rng(seed)
    noise = rng.standard_normal((options.draws, *network.image_shape), np.float32)
    scale = np.ones((options.draws, 1, 1), np.float32)
    return network.mean_gradient(images, targets, scale, noise * np.float32(options.noise * 255))
