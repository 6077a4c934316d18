"""The same bytes on other processors: a small pipeline of every family, natively through DVC's
stages with MLflow, and on two emulated processors in one process without either."""

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
# As QEMU names them: of another maker, and all that it has. Emulation is slow, so all families, the
# stages of a dataset, units, representations and learning are run on the first alone.
PROCESSORS = {"EPYC-Rome": ("whole", *FAMILIES), "max": ("cells", "attention", "cnn")}


@pytest.fixture(scope="module")
def small_project(tmp_path_factory, tiny):
    """``small_project(name)``: a folder with what the script needs; the parameters are small."""
    root = artefacts.root()

    def make(name):
        folder = tmp_path_factory.mktemp(name)
        for file in ("dvc.yaml", "requirements.txt"):
            shutil.copy(root / file, folder)
        (folder / "src").symlink_to(root / "src")
        yaml = YAML()
        content = yaml.load(root / "params.yaml")
        tiny(content, images=150, sample=2, seeds=[0], epochs=1)
        yaml.dump(content, folder / "params.yaml")
        return folder

    return make


def outputs(printed):
    lines = [line.split() for line in printed.splitlines() if line.startswith("output ")]
    return {path: content for _, path, content in lines}


@pytest.fixture(scope="module")
def native(small_project):
    folder = small_project("native")
    ran = subprocess.run(
        [sys.executable, SCRIPT, folder, *PROCESSORS["EPYC-Rome"]],
        capture_output=True,
        text=True,
        check=True,
    )
    return outputs(ran.stdout)


@pytest.mark.skipif(not shutil.which("qemu-x86_64"), reason="no qemu-x86_64 (Debian: qemu-user)")
@pytest.mark.parametrize("processor", PROCESSORS)
def test_every_output_has_the_same_bytes(processor, small_project, native):
    folder = small_project(processor)
    # Python knows its virtual environment by the link that starts it, which QEMU does not follow.
    paths = [str(artefacts.root() / "src"), sysconfig.get_path("purelib")]
    words = [str(SCRIPT), str(folder), *PROCESSORS[processor]]
    start = (
        f"import sys; sys.path += {paths!r}; sys.argv = {words!r}; exec(open(sys.argv[0]).read())"
    )
    python = Path(sys.executable).resolve()
    ran = subprocess.run(
        ["qemu-x86_64", "-cpu", processor, python, "-c", start], capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stdout[-500:] + ran.stderr[-3000:]
    emulated = outputs(ran.stdout)
    if processor == "EPYC-Rome":
        assert emulated.keys() == native.keys()
    assert {path for path in emulated if emulated[path] != native[path]} == set()
    assert len(emulated) > 40
