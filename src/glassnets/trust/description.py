"""What maps are like: not whether they are right, so no ranking goes by these."""

import numpy as np

from glassnets.explanations.method import Options
from glassnets.explanations.network import Floats
from glassnets.trust.metric import Judged, Scores, Values, metric

# Methods whose maps should sum to f(x) − f(baseline).
COMPLETE = ("integrated_gradients", "kernel_shap")

# Smallest |f(x) − f(b)|, in logits, that an error is measured against.
SMALLEST_DIFFERENCE = 1e-3


@metric()
def completeness(judged: Judged, options: Options, seed: int) -> Scores:
    """``completeness_error``, |Σφ − (f(x) − f(b))| / max(|f(x) − f(b)|, 0.001), f the class logit
    and b the method's baseline; 0 is best. Only for integrated_gradients and kernel_shap.

    Sundararajan, Taly & Yan (2017), "Axiomatic attribution for deep networks", proposition 1.
    """
    scores: Scores = {}
    for name in judged.maps:
        if name in COMPLETE:
            blank = np.full_like(judged.images[:1], judged.baselines.get(name, 0))
            images = np.concatenate([blank, judged.images])
            outputs = judged.network.outputs(images).astype(np.float64)
            difference = (outputs[1:] - outputs[0])[np.arange(len(judged.images)), judged.targets]
            scale = np.maximum(np.abs(difference), SMALLEST_DIFFERENCE)
            error = np.abs(_sum(judged.maps[name]) - difference) / scale
            scores[name] = {"completeness_error": error}
    return scores


def _sum(maps: Floats) -> Values:
    total: Values = maps.sum(axis=(1, 2), dtype=np.float64)
    return total


@metric()
def complexity(judged: Judged, options: Options, seed: int) -> Scores:
    """``complexity``, the entropy of p = |φ|/Σ|φ|, in nats: 0 for a single pixel, log(pixels) for
    a constant map; ``sparseness``, the Gini index of |φ|: 0 for a constant map, 1 − 1/pixels for
    a single pixel. A zero map singles out no pixel and counts as constant.

    Bhatt, Weller & Moura (2020), "Evaluating and aggregating feature-based model explanations",
    complexity; Chalasani, Chen, Chowdhury, Jha & Wu (2020), "Concise explanations of neural
    networks using adversarial training", with Hurley & Rickard (2009), "Comparing measures
    of sparsity": G = 1 − 2 Σ_k p_(k) (P − k + ½)/P, p_(1) ≤ … ≤ p_(P).
    """
    return {
        name: {"complexity": entropy(shares), "sparseness": gini(shares)}
        for name, shares in ((name, _shares(maps)) for name, maps in judged.maps.items())
    }


def _shares(maps: Floats) -> Values:
    """|φ|/Σ|φ| of each map, float64 (n, pixels)."""
    sizes = np.abs(maps.reshape(len(maps), -1).astype(np.float64))
    sizes[~sizes.any(axis=1)] = 1
    shares: Values = sizes / sizes.sum(axis=1, keepdims=True)
    return shares


def entropy(shares: Values) -> Values:
    """−Σ p log p of each row (n, pixels), in nats: (n,)."""
    from scipy.special import entr

    total: Values = entr(shares).sum(axis=1)
    return total


def gini(shares: Values) -> Values:
    """Gini index of each row (n, pixels) that sums to 1: (n,)."""
    pixels = shares.shape[1]
    weights = (np.arange(pixels, 0, -1) - 0.5) / pixels  # (P − k + ½)/P, k = 1 … P
    index: Values = 1 - 2 * np.sort(shares, axis=1) @ weights
    return index
