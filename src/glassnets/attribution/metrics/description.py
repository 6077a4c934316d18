"""Properties of maps that say nothing of whether they are right: no ranking uses them."""

import numpy as np

from glassnets.attribution.methods import COMPLETE
from glassnets.attribution.methods.method import Options
from glassnets.attribution.metrics.metric import Judged, Scores, Values, metric
from glassnets.attribution.network import Floats

# Smallest |f(x) − f(b)|, in logits, that an error is measured against.
SMALLEST_DIFFERENCE = 1e-3


@metric()
def completeness(judged: Judged, options: Options, seed: int) -> Scores:
    """``completeness_error``, |Σφ − (f(x) − f(b))| / max(|f(x) − f(b)|, 0.001), f the class logit
    and b the method's reference; 0 is best. Only for methods that are declared `complete`.

    Sundararajan, Taly & Yan (2017), "Axiomatic attribution for deep networks", proposition 1.
    """
    scores: Scores = {}
    for name in judged.maps:
        if name in COMPLETE:
            reference = np.full_like(judged.images[:1], judged.references.get(name, 0))
            images = np.concatenate([reference, judged.images])
            outputs = judged.network.outputs(images).astype(np.float64)
            difference = (outputs[1:] - outputs[0])[np.arange(len(judged.images)), judged.targets]
            scale = np.maximum(np.abs(difference), SMALLEST_DIFFERENCE)
            total = judged.maps[name].sum(axis=(1, 2), dtype=np.float64)
            scores[name] = {"completeness_error": np.abs(total - difference) / scale}
    return scores


@metric()
def complexity(judged: Judged, options: Options, seed: int) -> Scores:
    """``complexity``, the entropy of p = |φ|/Σ|φ|, in nats: 0 for a single pixel, log(pixels) for
    a constant map; ``sparseness``, the Gini index of |φ|: 0 for a constant map, 1 − 1/pixels for
    a single pixel. A zero map counts as constant.

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
