"""The pipeline over a cut of MNIST, where its files are. A file of its own, which comes after the
others: it leaves MNIST in the clone."""

import shutil

import pytest

from glassnets.pipeline import artefacts

pytestmark = pytest.mark.exhaustive
MNIST = artefacts.external("mnist")


@pytest.mark.skipif(
    not MNIST.exists(), reason=f"MNIST's files are not in {MNIST}, so its pipeline is not run"
)
@pytest.mark.release
def test_make_run_for_mnist(clone):
    shutil.copytree(MNIST, clone.folder / "data" / "external" / "mnist")

    def edit(content):
        mnist = content["mnist"]
        mnist["max_images"] = 1000
        mnist["seeds"] = [0, 1]
        mnist["sample"] = {"images": 6}
        mnist["training"]["warmup_epochs"] = 0
        mnist["attribution"] = {}
        for family in clone.families:
            mnist[family]["training"]["epochs"] = 1

    clone.edit_params(edit)
    output = clone.run("make", "--old-file=.venv/.complete", "run", "DATASET=mnist")
    clone.run("git", "checkout", "--quiet", ".")
    assert "mnist: 70000 images, hashes as pinned" in output
    assert "of the first 1,000 images" in output
    assert "| feedforward |" in output
