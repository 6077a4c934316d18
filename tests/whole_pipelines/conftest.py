"""A temporary clone of the project with a tiny cut of digits, in which whole pipelines run."""

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from dvc.utils.hydra import apply_overrides
from ruamel.yaml import YAML

from glassnets.pipeline import artefacts
from glassnets.pipeline.verify.rebuild import copy_project


class Clone:
    """A project folder of its own, and the commands of its environment."""

    families = ("cnn", "feedforward")  # those that take least time; see test_emulated.py for all

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
        # DVC writes this file in place, and says that it is corrupted where it was just doing so.
        rwlock = self.folder / ".dvc" / "tmp" / "rwlock"
        try:
            json.loads(rwlock.read_text())
        except FileNotFoundError:
            pass
        except ValueError:  # cut short
            rwlock.unlink()

    def stages_run(self, output: str) -> list[str]:
        """The stages whose command DVC ran, in order; not those that it took from its run cache."""
        return re.findall(r"Running stage '(.*)'", output)

    def hashes(self, *folders: str) -> dict[str, str]:
        """sha256 of every file in these folders, by path."""
        return {
            str(path.relative_to(self.folder)): hashlib.sha256(path.read_bytes()).hexdigest()
            for name in folders
            for path in sorted((self.folder / name).rglob("*"))
            if path.is_file()
        }

    def lock(self) -> bytes:
        return (self.folder / "dvc.lock").read_bytes()

    def edit_params(self, edit) -> None:
        yaml = YAML()
        path = self.folder / "params.yaml"
        content = yaml.load(path)
        edit(content)
        yaml.dump(content, path)
        for _ in range(2):  # into the form in which DVC writes it
            apply_overrides(path, [])

    def outside(self) -> list[str]:
        """What asked outside of this machine: address and command, a line each, but for MNIST's
        files where a person has put none."""
        asked = self.asked_outside.read_text() if self.asked_outside.exists() else ""
        return [line for line in asked.splitlines() if "stages.fetch mnist" not in line]

    def partials(self) -> list[Path]:
        return [
            p
            for room in ("data", "manifests", "models", "results")
            for p in (self.folder / room).rglob("*.partial")
        ]


def _tiny(content, *, images=300, sample=6, seeds=(0, 1), epochs=3) -> None:
    """The smallest digits and planted that still have every class in every part, and every method
    and metric with as little work as it can do."""
    content["evaluation"]["bootstrap_resamples"] = 100
    defaults = content["defaults"]
    defaults["memorise"].update(images=30, accuracy=0.5)
    defaults["additive"]["training"].update(epochs=2, warmup_epochs=0)
    for key, none in (("studied_datasets", []), ("studied_cells", {})):
        content[key] = none  # `make run` of digits itself runs those stages
        content.ca.items.pop(key)  # a comment, which would run into the next key
    small = {"images": 40, "gram_images": 20, "permutations": 19, "noise_images": 40}
    defaults["probe"].update(small)
    defaults["lesion"].update(images=40, units=2, steps=2, random_orders=1)
    defaults["similarity"].update(blocks=5, shuffles=19)
    dynamics = defaults["dynamics"]
    dynamics["seeds"] = [0, 1]
    dynamics["gradient_flow"].update(depth=3, width=20, images=10)
    dynamics["gradient_flow"]["cells"]["units"] = 8
    dynamics["batch_size"].update(units=4, loss=2.0, epochs=3, noise={"images": 8, "draws": 5})
    dynamics["learning_rate"].update(images=20, steps=50, network_steps=20, every=10)
    dynamics["overfitting"].update(images=100, units=8, shuffled={"images": 20, "epochs": 3})
    dynamics["overfitting"]["augmented"]["epochs"] = 2
    dynamics["overfitting"]["regression"]["images"] = 20
    content["mnist"].pop("dynamics")
    defaults["attribution"]["methods"].update(
        gradient_x_input={"draws": 2},
        integrated_gradients={"steps": 4},
        smoothgrad={"draws": 4, "noise": 0.15},
        rise={"masks": 60, "grid": 4, "probability": 0.5},
        kernel_shap={"patch_size": 4, "coalitions": 200, "draws": 2},
        temporal_saliency_rescaling={"draws": 2},
    )
    defaults["attribution"]["references"] = ["mean", "draws"]
    metrics = defaults["attribution"]["metrics"]
    metrics["deletion_insertion"].update(steps=4, removals=["black", "mean"])
    metrics["faithfulness_correlation"].update(subsets=10, removals=["black", "mean"])
    metrics["infidelity"]["draws"] = 10
    metrics["max_sensitivity"].update(draws=2, images=2)
    metrics["parameter_randomization"].update(draws=1, images=2, cascade_images=1)
    metrics["label_randomization"]["images"] = metrics["class_sensitivity"]["images"] = 4
    for name in ("digits", "planted"):
        dataset = content[name]
        dataset.update(max_images=images, seeds=list(seeds), sample={"images": sample})
        dataset["training"]["warmup_epochs"] = 0
        dataset.pop("memorise", None)
        dataset.pop("probe", None)
        if name == "planted":
            dataset["shape"]["images"] = images  # the others would be made for nothing
            dataset["shortcut"]["images"] = 4
        dataset["attribution"] = {
            "methods": {"occlusion": {"patch_size": 2, "stride": 1, "draws": 2}},
            "metrics": {"localization": {}} if name == "planted" else {},
        }
        for family in [c["family"] for c in content["cells"].values() if c["dataset"] == name]:
            dataset[family]["training"]["epochs"] = epochs if name == "digits" else 1


def _of_two_families(content) -> None:
    _tiny(content)
    for name, cell in list(content["cells"].items()):
        if cell["dataset"] != "planted" and cell["family"] not in Clone.families:
            del content["cells"][name]
            content[cell["dataset"]].pop(cell["family"])


@pytest.fixture(scope="session")
def tiny():
    """``tiny(content, …)``: makes the content of params.yaml small."""
    return _tiny


@pytest.fixture(scope="session")
def clone(tmp_path_factory, pytestconfig) -> Iterator[Clone]:
    """The working tree as it is, without what is ignored, committed anew, the pipeline run once.

    Each process of tests has its own, a copy of the one that the first of them has run; that one
    is kept in pytest's cache for as long as no file of the project changes. At the end nothing
    that ran in it may have asked anything outside of this machine.
    """
    made = Clone(tmp_path_factory.mktemp("clone") / "project")
    copy_project(artefacts.root(), made.folder)
    files = json.dumps([sys.version, made.hashes(".")])
    cache = pytestconfig.cache.mkdir("clone")
    with (cache / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        kept = cache / hashlib.sha256(files.encode()).hexdigest()
        first = Clone(kept / "project")
        printed = kept / "printed.txt"
        if not printed.exists():
            for old in cache.glob("*/"):
                shutil.rmtree(old)
            printed.write_text(_run_pipeline(first))
    shutil.rmtree(made.folder)  # the tiny pipeline has fewer outputs
    shutil.copytree(first.folder, made.folder, symlinks=True)
    made.first_output = printed.read_text()
    yield made
    assert first.outside() + made.outside() == []


def _run_pipeline(made: Clone) -> str:
    """Makes a clone and runs its pipeline; what that printed."""
    copy_project(artefacts.root(), made.folder)
    # What it says of stages that the tiny pipeline lacks would, once lost, never come back.
    (made.folder / "dvc.lock").unlink()
    made.edit_params(_of_two_families)
    made.run("git", "init", "--quiet")
    made.run("git", "add", "--all")
    made.run("git", "commit", "--quiet", "--message", "tiny")
    printed = made.run("dvc", "repro", "compare@digits")
    made.run("git", "add", "--all")
    made.run("git", "commit", "--quiet", "--message", "tiny results")
    return printed
