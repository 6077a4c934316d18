"""What `make serve` is told before it serves."""

import subprocess
import sys
from pathlib import Path

import pytest

from glassnets import config
from glassnets.errors import GlassnetsError, ParameterError
from glassnets.tracking import champion
from glassnets.tracking.register import register

pytestmark = pytest.mark.exhaustive


@pytest.fixture
def inside(project, tmp_path, monkeypatch):
    monkeypatch.chdir(project)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path}/mlflow.db")


def test_a_registered_model_passes(inside):
    with pytest.raises(GlassnetsError, match="`make run DATASET=digits` trains and registers it"):
        champion.check("digits", "cnn")
    register(config.load(Path("params.yaml")), "digits")
    champion.check("digits", "cnn")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [(("digit", "cnn"), "DATASET: expected"), (("digits", "rnn"), "FAMILY: expected one of")],
)
def test_what_is_no_dataset_or_family_is_refused(inside, arguments, message):
    with pytest.raises(ParameterError, match=message):
        champion.check(*arguments)


@pytest.mark.release
def test_the_command_says_it_in_a_line(inside):
    ran = subprocess.run(
        [sys.executable, "-m", "glassnets.tracking.champion", "mnist", "cnn"],
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1
    assert ran.stdout == ""
    assert ran.stderr == (
        "error: expected the model glassnets-mnist-cnn in MLflow's registry, got none: "
        "`make run DATASET=mnist` trains and registers it\n"
    )
