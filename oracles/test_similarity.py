"""Our similarities of representations against rsatoolbox's, on the trained networks of digits, in
all families.

Its RDMs hold squared distances over the number of channels, which changes no rank and no cosine.
``cosine_cov`` with no covariance given is the cosine after whitening, which is the biased linear
CKA (Diedrichsen et al. 2021, "Comparing representational geometries using whitened
unbiased-distance-matrix similarity"); ``bures`` is the cosine of the Procrustes angle. Debiased CKA
it has none: see tests/representations/test_similarity.py for its published figures.
"""

from itertools import combinations

import numpy as np
import pytest

from glassnets.pipeline import artefacts
from glassnets.representations import similarity
from glassnets.representations.activations import Responses, representation_layers


@pytest.fixture
def layers(trained):
    """The responses (60, p) of each layer of a trained network, and the images themselves."""
    model, activations = trained.network.model, trained.network.activations
    images = artefacts.load_arrays(artefacts.part("digits", "test"))["images"][:60]
    respond = Responses(model, representation_layers(model, activations), pooled=False)
    features = {"pixels": images, **respond(images)}
    return {name: each.reshape(60, -1).astype(np.float64) for name, each in features.items()}


@pytest.mark.parametrize(
    ("measure", "method", "tolerance"),
    # Ranks may differ where distances are equal but for rounding.
    [("rdm", "spearman", 1e-4), ("cka_biased", "cosine_cov", 1e-6), ("procrustes", "bures", 1e-5)],
)
def test_similarity(layers, measure, method, tolerance):
    from rsatoolbox.data import Dataset
    from rsatoolbox.rdm import calc_rdm, compare

    rdms = {name: calc_rdm(Dataset(each), method="euclidean") for name, each in layers.items()}
    grams = {name: similarity.gram(each) for name, each in layers.items()}
    for one, other in combinations(layers, 2):
        (theirs,) = compare(rdms[one], rdms[other], method=method).ravel()
        pair = [grams[one], grams[other]]
        if measure == "procrustes":
            ours = np.cos(similarity.procrustes(*map(similarity.root, pair)))
        else:
            ours = similarity.table(pair, measure)[0, 1]
        assert ours == pytest.approx(theirs, abs=tolerance), (one, other)
