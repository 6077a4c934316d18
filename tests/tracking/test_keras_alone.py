"""Networks of tables and series, and spiking ones, as MLflow keeps them: of Keras' own layers."""

import os
import subprocess
import sys

import numpy as np
import pytest

from glassnets import config
from glassnets.models import families
from glassnets.models.families import spiking
from glassnets.models.layers import standardize
from glassnets.pipeline import networks
from glassnets.tracking.from_files import of_keras_alone

LOADED = """
import sys, numpy, keras
model = keras.saving.load_model(sys.argv[1], safe_mode=True)
numpy.save(sys.argv[2], model(numpy.load(sys.argv[3])))
assert "glassnets" not in sys.modules
"""


@pytest.mark.parametrize("family", ["feedforward", "attention", "cnn", "lstm"])
@pytest.mark.parametrize("dataset", ["people", "waves"])
def test_the_copy_predicts_as_the_network(tensorflow, own_project, dataset, family):
    model, images = network(own_project, dataset, family)
    copy = of_keras_alone(model)
    np.testing.assert_allclose(copy(images), model(images), atol=1e-5)
    assert "glassnets" not in copy.to_json()


@pytest.mark.release
@pytest.mark.parametrize("name", ["people", "waves", "spiking"])
def test_it_loads_where_the_projects_code_is_not(tensorflow, own_project, tmp_path, name):
    if name == "spiking":
        own = spiking.Network(units=(9, 7), steps=6, decay=0.9, slope=5.0, dropout=0.5)
        model, _ = families.build("spiking", own, (4, 3), 3)
        images = np.random.default_rng(0).integers(0, 256, (5, 4, 3)).astype(np.uint8)
    else:
        model, images = network(own_project, name, "feedforward")
    of_keras_alone(model).save(tmp_path / "copy.keras")
    np.save(tmp_path / "images.npy", images)
    names = (str(tmp_path / name) for name in ("copy.keras", "out.npy", "images.npy"))
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
    subprocess.run([sys.executable, "-c", LOADED, *names], check=True, env=environment)
    np.testing.assert_allclose(np.load(tmp_path / "out.npy"), model(images), atol=1e-5)


def network(project, dataset, family):
    data = config.load(project / "params.yaml").dataset(dataset)
    model, _ = networks.build(data, family)
    images = np.load(project / "data" / "processed" / dataset / "train.npz")["images"]
    standardize(model, images)
    return model, images[:5]
