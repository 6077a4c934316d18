"""On planted evidence, for a network that uses it, the evidence scores best and controls fail."""

import numpy as np
import pytest

from glassnets import runtime
from glassnets.attribution.methods import CONTROLS, Explained
from glassnets.attribution.metrics import METRICS
from glassnets.attribution.metrics.localization import intervention
from glassnets.config.schema import ArrayShape, Evaluation
from glassnets.data.sources import digits, planted
from glassnets.evaluation import bootstrap
from glassnets.models import families, training

pytestmark = pytest.mark.release  # for the minutes that all of these take together

EVALUATION = Evaluation(
    bootstrap_resamples=500, confidence_level=0.95, calibration_bins=10, random_state=0
)
CHANGED = ("images", "labels", "cue_changed", "cue_changed_labels", "rest_changed")


@pytest.fixture(scope="module")
def dataset(parameters):
    shape = ArrayShape(images=3000, height=16, width=16)
    whole = parameters.dataset("planted")
    easy = {"texture_deviation": 0.0, "canvas_contrast": 16.0, "patch_sizes": (5,)}
    planting = whole.planting.model_copy(update=easy)  # learnt in seconds
    return whole.model_copy(update={"shape": shape, "planting": planting})


@pytest.fixture(scope="module")
def arrays(dataset):
    return planted.plant(digits.load(None)["images"], dataset)


@pytest.fixture(scope="module")
def network(tensorflow, dataset, arrays):
    """A CNN that has learnt the cue."""
    cell = dataset.family("cnn")
    runtime.set_seed(0)
    model, activations = families.build("cnn", cell.network, dataset.image_shape, dataset.classes)
    parts = [
        {name: array[rows] for name, array in arrays.items()} for rows in (np.s_[600:], np.s_[:600])
    ]
    recipe = cell.training.model_copy(update={"epochs": 8, "batch_size": 32})
    training.fit(model, *parts, recipe, 0, lambda loss: None, lambda epoch, logs: None)
    part = {name: arrays[name][600:] for name in ("images", "labels")}
    return Explained(model, activations, references=part["images"], labels=part["labels"])


def test_the_intervention_shows_that_the_network_uses_the_cue(network, arrays):
    def predict(images):
        return families.predict(network.model, images).argmax(axis=1)

    followed = intervention(predict, *(arrays[name][:600] for name in CHANGED))
    assert {name: np.nanmean(scores) > 0.9 for name, scores in followed.items()} == {
        "cue_changed": True,
        "rest_changed": True,
    }


def test_the_evidence_scores_above_the_controls(network, arrays, judge):
    images, labels = arrays["images"][:40].astype(np.float32), arrays["labels"][:40]
    evidence = arrays["evidence"][:40]
    judged = judge(network, images, labels, [*CONTROLS, "kernel_shap"], evidence=evidence)
    judged.maps["evidence"] = evidence.astype(np.float32)
    scores = {method: {} for method in judged.maps}
    for name, options in (("localization", {}), ("deletion_insertion", {"steps": 8})):
        metric = METRICS[name]
        for method, own in metric(judged, metric.options(**options)).items():
            scores[method] |= {score: values[np.newaxis] for score, values in own.items()}
    for score in ("average_precision", "relevance_mass", "relevance_rank", "pointing_game"):
        assert (scores["evidence"][score] == 1).all()

    def is_above(score, one, other):
        difference = (scores[one][score] - scores[other][score])[np.newaxis]
        low, _ = bootstrap.interval(bootstrap.means(difference, EVALUATION)[0], 0.95)
        return low > 0

    for control in CONTROLS:
        for score in ("average_precision", "insertion_minus_deletion"):
            assert is_above(score, "evidence", control), (score, control)
        assert scores[control]["average_precision"].mean() < 0.6
        assert is_above("average_precision", "kernel_shap", control), control


def test_the_intervention_detects_a_network_that_does_not_use_the_cue(arrays):
    """It predicts by the brightness of the corner, whatever the cue."""

    def predict(images):
        return images[:, :2, :2].sum(axis=(1, 2), dtype=np.int64) % planted.CLASSES

    followed = intervention(predict, *(arrays[name] for name in CHANGED))
    assert np.nanmean(followed["cue_changed"]) < 0.5
    assert np.nanmean(followed["rest_changed"]) < 0.9
