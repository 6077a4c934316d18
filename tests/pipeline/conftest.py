"""A temporary clone of the project with a tiny cut of digits, in which whole pipelines run."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from glassnets import artefacts
from glassnets.verify.rebuild import copy_project


class Clone:
    """A project folder of its own, and the commands of its environment."""

    def __init__(self, folder: Path):
        self.folder = folder
        self.asked_outside = folder.parent / "asked-outside.txt"  # see watch/sitecustomize.py
        # A proxy nobody listens at: no test of a pipeline reaches outside this machine.
        self.environment = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("MLFLOW", "DVC", "MAKE"))},
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": f"{folder / 'src'}:{Path(__file__).parent / 'watch'}",
            "GLASSNETS_WATCH": str(self.asked_outside),
            "https_proxy": "http://127.0.0.1:9",
            "http_proxy": "http://127.0.0.1:9",
            "no_proxy": "127.0.0.1,localhost",
            "GIT_AUTHOR_NAME": "test",
            "GIT_AUTHOR_EMAIL": "test@localhost",
            "GIT_COMMITTER_NAME": "test",
            "GIT_COMMITTER_EMAIL": "test@localhost",
        }
        self.environment.pop("GLASSNETS_EXTERNAL", None)

    def start(self, *command: str, stdout: int = subprocess.PIPE) -> subprocess.Popen:
        return subprocess.Popen(
            command,
            cwd=self.folder,
            env=self.environment,
            stdout=stdout,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def run(self, *command: str, check: bool = True) -> str:
        process = self.start(*command)
        output, _ = process.communicate(timeout=900)
        if check:
            assert process.returncode == 0, f"{' '.join(command)}\n{output}"
        return output

    def kill(self, process: subprocess.Popen) -> None:
        """Ends a process and all that it started, at once."""
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()

    def lock(self) -> bytes:
        return (self.folder / "dvc.lock").read_bytes()

    def edit_params(self, edit) -> None:
        yaml = YAML()
        path = self.folder / "params.yaml"
        content = yaml.load(path)
        edit(content)
        yaml.dump(content, path)

    @staticmethod
    def quick(explanations) -> None:
        """Every method and every metric, each with as little work as it can do."""
        explanations["panel"].update(images=6, wrong=2)
        for method, option, value in (
            ("integrated_gradients", "steps", 4),
            ("expected_gradients", "draws", 4),
            ("smoothgrad", "draws", 4),
            ("rise", "masks", 60),
            ("kernel_shap", "coalitions", 200),
        ):
            explanations["methods"][method][option] = value
        trust = explanations["trust"]
        trust["deletion_insertion"]["steps"] = 4
        trust["faithfulness_correlation"]["subsets"] = 10
        trust["infidelity"]["draws"] = 10
        trust["max_sensitivity"].update(draws=2, images=2)
        trust["parameter_randomization"].update(draws=1, images=2, cascade_images=1)
        trust["label_randomization"]["images"] = 4
        trust["label_randomization"]["memorising"].update(images=30, accuracy=0.5)

    def outside(self) -> list[str]:
        """What asked outside of this machine: address and command, a line each, but for MNIST's
        files where a person has put none."""
        asked = self.asked_outside.read_text() if self.asked_outside.exists() else ""
        return [line for line in asked.splitlines() if "glassnets.stages.fetch mnist" not in line]

    def partials(self) -> list[Path]:
        return [
            p
            for room in ("data", "models", "results")
            for p in (self.folder / room).rglob("*.partial")
        ]


def tiny(content) -> None:
    """The smallest digits and planted that still have every class in every part."""
    content["evaluation"]["bootstrap_resamples"] = 100
    for name, epochs in (("digits", 3), ("planted", 1)):
        dataset = content[name]
        dataset["max_images"] = 300
        dataset["seeds"] = [0, 1]
        Clone.quick(dataset["explanations"])
        for family in ("feedforward", "lstm", "cnn", "attention"):
            dataset[family]["training"].update(epochs=epochs, warmup_epochs=0)


@pytest.fixture(scope="session")
def clone(tmp_path_factory) -> Iterator[Clone]:
    """The working tree as it is, without what is ignored, committed anew, the pipeline run once.

    At the end nothing that ran in it may have asked anything outside of this machine.
    """
    folder = tmp_path_factory.mktemp("clone") / "project"
    copy_project(artefacts.root(), folder)
    made = Clone(folder)
    made.edit_params(tiny)
    made.run("git", "init", "--quiet")
    made.run("git", "add", "--all")
    made.run("git", "commit", "--quiet", "--message", "tiny")
    made.first_output = made.run("dvc", "repro", "compare@digits")
    made.run("git", "add", "--all")
    made.run("git", "commit", "--quiet", "--message", "tiny results")
    yield made
    assert made.outside() == []
