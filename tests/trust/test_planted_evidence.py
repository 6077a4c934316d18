"""On planted evidence, of a network that is proven to use it, the truth wins and controls lose."""

import numpy as np
import pytest

from glassnets import families, runtime, training
from glassnets.datasets import digits, planted
from glassnets.explanations import CONTROLS, Explained
from glassnets.params import Evaluation
from glassnets.trust import METRICS, verdicts
from glassnets.trust.localization import intervention

EVALUATION = Evaluation(
    bootstrap_resamples=500, confidence_level=0.95, calibration_bins=10, random_state=0
)
CHANGED = ("images", "labels", "cue_changed", "cue_changed_labels", "rest_changed")


@pytest.fixture(scope="module")
def dataset(parameters):
    return parameters.dataset("planted").model_copy(update={"shape": (3000, 16, 16)})


@pytest.fixture(scope="module")
def arrays(dataset):
    return planted.plant(digits.load(None)["images"], dataset)


@pytest.fixture(scope="module")
def network(tensorflow, dataset, arrays):
    """An attention network that has learnt the cue."""
    cell = dataset.family("attention")
    runtime.set_seed(0)
    model, activations = families.build(
        "attention", cell.network, dataset.image_shape, dataset.classes
    )
    parts = [
        {name: array[rows] for name, array in arrays.items()} for rows in (np.s_[600:], np.s_[:600])
    ]
    recipe = cell.training.model_copy(update={"epochs": 8})
    training.fit(model, *parts, recipe, 0, lambda loss: None, lambda epoch, logs: None)
    return Explained(model, activations, references=arrays["images"][600:])


def test_the_intervention_proves_that_the_network_uses_the_cue(network, arrays):
    def predict(images):
        return families.predict(network.model, images).argmax(axis=1)

    followed = intervention(predict, *(arrays[name][:600] for name in CHANGED))
    assert {name: np.nanmean(scores) > 0.9 for name, scores in followed.items()} == {
        "cue_changed": True,
        "rest_changed": True,
    }


def test_the_evidence_wins_and_the_controls_lose(network, arrays, judge):
    images, labels = arrays["images"][:40].astype(np.float32), arrays["labels"][:40]
    evidence = arrays["evidence"][:40]
    judged = judge(network, images, labels, [*CONTROLS, "kernel_shap"], evidence=evidence)
    judged.maps["evidence"] = evidence.astype(np.float32)
    scores = {method: {} for method in judged.maps}
    for name in ("localization", "deletion_insertion"):
        for method, figures in METRICS[name](judged).items():
            scores[method] |= {f: values[np.newaxis] for f, values in figures.items()}
    for figure in ("relevance_mass", "relevance_rank", "pointing_game"):
        assert (scores["evidence"][figure] == 1).all()
    for control in CONTROLS:
        for figure in ("relevance_mass", "insertion_minus_deletion"):
            assert verdicts.beats(scores, figure, "evidence", control, EVALUATION), (
                figure,
                control,
            )
        assert scores[control]["relevance_mass"].mean() < 0.5
        assert verdicts.beats(scores, "relevance_mass", "kernel_shap", control, EVALUATION), control


def test_a_network_that_looks_elsewhere_is_found_out(arrays):
    """One that answers by the brightness of the corner, whatever the cue."""

    def predict(images):
        return images[:, :2, :2].sum(axis=(1, 2), dtype=np.int64) % planted.CLASSES

    followed = intervention(predict, *(arrays[name] for name in CHANGED))
    assert np.nanmean(followed["cue_changed"]) < 0.5
    assert np.nanmean(followed["rest_changed"]) < 0.9
