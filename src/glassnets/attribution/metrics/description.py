"""Properties of maps that say nothing of whether they are right: no ranking uses them."""

import numpy as np

from glassnets.attribution.methods.method import Options, weights
from glassnets.attribution.metrics.metric import Judged, Scores, Values, metric
from glassnets.attribution.network import Floats
from glassnets.attribution.references import fills

# Smallest |f(x) − f(r)|, in logits, that an error is measured against.
SMALLEST_DIFFERENCE = 1e-3


@metric()
def completeness(judged: Judged, options: Options, seed: int) -> Scores:
    """``completeness_error``, |Σφ − (f(x) − f(r))| / max(|f(x) − f(r)|, 0.001), f the class logit
    and r the variant's reference, f(r) the mean over its draws; 0 is best. Only for methods that
    are declared `complete`.

    Sundararajan, Taly & Yan (2017), "Axiomatic attribution for deep networks", proposition 1.
    """
    network, images = judged.network, judged.images
    targets = weights(network, len(images), judged.targets, None)
    intact = network.explained(images, targets).astype(np.float64)
    scores: Scores = {}
    for name, maps in judged.maps.items():
        variant = judged.variants.get(name)
        if variant is None or not variant.method.complete or variant.reference is None:
            continue
        draws = variant.options.model_dump()
        count = draws.get("draws") or draws["steps"]
        fill = fills(network, images, variant.reference, count, judged.seed)
        nothing = np.zeros((1, 1, 1), np.float32)
        empty = np.stack(
            [
                network.values(images, targets, nothing, fill[:, k : k + 1])[:, 0]
                for k in range(fill.shape[1])
            ]
        ).mean(axis=0, dtype=np.float64)
        change = intact - empty
        total = maps.sum(axis=(1, 2), dtype=np.float64)
        scale = np.maximum(np.abs(change), SMALLEST_DIFFERENCE)
        scores[name] = {"completeness_error": np.abs(total - change) / scale}
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
