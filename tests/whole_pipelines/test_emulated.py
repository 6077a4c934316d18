"""The same bytes on other processors: small pipelines, natively and on emulated processors, in one
process without DVC and MLflow. Before a release they have every family together."""

import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from glassnets import registry
from glassnets.pipeline import artefacts

pytestmark = pytest.mark.exhaustive
SCRIPT = Path(__file__).with_name("run_in_process.py")
FAMILIES = registry.names(registry.FAMILIES)
# As QEMU names them: of another maker, and all that it has. Emulation is slow, so a family is run
# on one of them; data, units, representations and how networks learn on the first alone.
BEFORE_A_RELEASE = [
    ("EPYC-Rome", "whole", "feedforward", "lstm", "spiking"),
    ("max", "cells", "attention", "cnn"),
]


@pytest.fixture(scope="module")
def small_project(tmp_path_factory, tiny):
    """``small_project(families)``: a folder with what the script needs; the parameters are small,
    and digits has these families."""
    root = artefacts.root()

    def make(families):
        folder = tmp_path_factory.mktemp("small")
        for file in ("dvc.yaml", "requirements.txt"):
            shutil.copy(root / file, folder)
        (folder / "src").symlink_to(root / "src")
        yaml = YAML()
        content = yaml.load(root / "params.yaml")
        tiny(content, images=150, sample=2, seeds=[0], epochs=1)
        for family in {*FAMILIES} - {*families}:
            content["cells"].pop(f"digits-{family}")
            content["digits"].pop(family)
        yaml.dump(content, folder / "params.yaml")
        return folder

    return make


def outputs(printed):
    lines = [line.split() for line in printed.splitlines() if line.startswith("output ")]
    return {path: content for _, path, content in lines}


def test_every_family_is_run_on_one():
    run = [family for _, _, *families in BEFORE_A_RELEASE for family in families]
    assert sorted(run) == sorted(FAMILIES)


@pytest.mark.skipif(not shutil.which("qemu-x86_64"), reason="no qemu-x86_64 (Debian: qemu-user)")
@pytest.mark.parametrize(
    "run",
    [
        ("EPYC-Rome", "cells", "feedforward"),
        *(pytest.param(run, marks=pytest.mark.release) for run in BEFORE_A_RELEASE),
    ],
    ids=" ".join,
)
def test_every_output_has_the_same_bytes(run, small_project):
    processor, what, *families = run
    natively, folder = small_project(families), small_project(families)
    command = [sys.executable, SCRIPT, natively, what, *families]
    native = outputs(subprocess.run(command, capture_output=True, text=True, check=True).stdout)
    # Python knows its virtual environment by the link that starts it, which QEMU does not follow.
    paths = [str(artefacts.root() / "src"), sysconfig.get_path("purelib")]
    words = [str(SCRIPT), str(folder), what, *families]
    start = (
        f"import sys; sys.path += {paths!r}; sys.argv = {words!r}; exec(open(sys.argv[0]).read())"
    )
    python = Path(sys.executable).resolve()
    ran = subprocess.run(
        ["qemu-x86_64", "-cpu", processor, python, "-c", start], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout[-500:] + ran.stderr[-3000:]
    emulated = outputs(ran.stdout)
    assert emulated.keys() == native.keys()
    assert {path for path in emulated if emulated[path] != native[path]} == set()
    assert len(emulated) > 40
