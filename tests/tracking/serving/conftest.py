"""A project whose networks of digits can be registered and served."""

import re
import shutil
from pathlib import Path

import pandas as pd
import pytest
from dvc.repo import Repo

from glassnets import config
from glassnets.pipeline import artefacts, trained


@pytest.fixture(scope="module")
def project(untrained_project, tmp_path_factory):
    """With the results of evaluate and compare that a registration needs, for a single seed."""
    project = tmp_path_factory.mktemp("serving")
    shutil.copytree(untrained_project, project, dirs_exist_ok=True)
    Repo.init(str(project), no_scm=True).close()
    text = (project / "params.yaml").read_text(encoding="utf-8")
    text, count = re.subn(r"  seeds:\n(  - \d+\n)+", "  seeds: [0]\n", text)
    assert count == 1
    (project / "params.yaml").write_text(text, encoding="utf-8")
    results = project / "results" / "digits"
    leaderboard = (results / "cells" / "cnn" / "leaderboard.csv").read_bytes()
    for family in ("attention", "cnn", "feedforward", "lstm", "spiking"):
        folder, page = results / "cells" / family, results / "families" / family
        folder.mkdir(exist_ok=True)
        page.mkdir(parents=True)
        history = pd.DataFrame({"seed": [0, 0], "epoch": [1, 2], "val_loss": [0.5, 0.4]})
        artefacts.save_table(folder / "history.csv", history)
        names = ("accuracy", "log_loss", "expected_calibration_error")
        artefacts.save_json(folder / "metrics.json", {n: {"by_seed": [0.25]} for n in names})
        (folder / "leaderboard.csv").write_bytes(leaderboard)
        card = f"# {family}\n\n![Failures](failures.png)\n\nNot for exams.\n"
        (page / "model-card.md").write_text(card, encoding="utf-8")
    return project


@pytest.fixture(scope="module")
def network(tensorflow, project):
    """The network of cnn."""
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        data = config.load(Path("params.yaml")).dataset("digits")
        train = trained.training("digits", ["integrated_gradients:draws"])
        return trained.of_project(data, "digits", "cnn", 0, train)
