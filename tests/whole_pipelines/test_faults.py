"""What a person, a disk or another process does to a project: a clear message, never a wrong result
taken for a right one, and one `dvc repro` repairs."""

import random
import shutil
import time

import pytest
from ruamel.yaml import YAML

pytestmark = pytest.mark.exhaustive
REPRO = ("dvc", "repro", "compare@digits")


@pytest.fixture(autouse=True)
def repaired(clone):
    """After each test the project is what it was, to the byte."""
    before = clone.lock()
    yield
    output = clone.run(*REPRO)
    assert "Traceback" not in output
    assert clone.lock() == before
    assert clone.run("git", "status", "--porcelain") == ""
    assert "up to date" in clone.run("dvc", "status", "compare@digits", "--with-deps")


def flip(path):
    """Changes a byte in the middle, of a file that DVC may have made read-only."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 255
    path.chmod(0o644)
    path.write_bytes(content)


def test_a_damaged_network_is_not_evaluated(clone):
    weights = clone.folder / "models" / "digits" / "cnn" / "seed-0.weights.h5"
    right = weights.read_bytes()
    flip(weights)
    assert "models/digits/cnn" in clone.run("dvc", "status")
    clone.run(*REPRO)
    assert weights.read_bytes() == right


@pytest.mark.release
def test_a_result_edited_by_hand_is_put_right(clone):
    metrics = clone.folder / "results" / "digits" / "cells" / "feedforward" / "metrics.json"
    right = metrics.read_bytes()
    metrics.chmod(0o644)  # DVC keeps it in its cache
    metrics.write_bytes(right.replace(b"0.", b"0.9", 1))
    clone.run(*REPRO)
    assert metrics.read_bytes() == right


@pytest.mark.release
def test_a_damaged_file_of_the_cache_is_not_taken_for_whole(clone):
    """Its place in the workspace is empty, so DVC would link it there."""
    raw = clone.folder / "data" / "raw" / "digits.npz"
    right = raw.read_bytes()
    cached = [
        path
        for path in (clone.folder / ".dvc" / "cache" / "files" / "md5").glob("*/*")
        if path.stat().st_size == len(right) and path.read_bytes() == right
    ]
    assert len(cached) == 1
    raw.unlink()
    flip(cached[0])
    clone.run(*REPRO)
    assert raw.read_bytes() == right


def test_a_lock_cut_within_a_word_is_refused(clone):
    lock = clone.folder / "dvc.lock"
    whole = lock.read_bytes()
    lock.write_bytes(whole[: whole.index(b"hash: md5", len(whole) // 2) + 3])
    output = clone.run(*REPRO, check=False)
    assert "dvc.lock" in output
    assert "Traceback" not in output
    assert "Running stage" not in output
    clone.run("git", "checkout", "--quiet", "dvc.lock")


@pytest.mark.release
def test_what_a_lock_cut_between_stages_lost_is_made_again(clone):
    """It reads as a whole one that knows of fewer stages."""

    def stages():
        found = YAML(typ="safe").load(clone.lock())["stages"]
        return {name: stage for name, stage in found.items() if "@digits" in name}

    before, whole = stages(), clone.lock()
    lock = clone.folder / "dvc.lock"
    lock.write_bytes(whole[: whole.index(b"  judge@digits-feedforward:")])
    assert stages() != before
    assert "judge@digits-feedforward" in clone.run(*REPRO)
    assert stages() == before
    clone.run("git", "checkout", "--quiet", "dvc.lock")


def test_a_full_disk_leaves_nothing_half_written(clone):
    """A limit on the size of files stands for the disk: writing beyond it fails, as it would."""
    weights = clone.folder / "models" / "digits" / "cnn"
    right = {path.name: path.read_bytes() for path in weights.iterdir()}
    limited = [
        "bash",
        "-c",
        "ulimit -f 100; exec python -m glassnets.pipeline.stages.train digits cnn",
    ]
    process = clone.start(*limited)
    output, _ = process.communicate(timeout=300)
    assert process.returncode not in (0, None)
    assert "Traceback" not in output, output
    assert {path.name: path.read_bytes() for path in weights.iterdir()} == right
    assert clone.partials() == []


@pytest.mark.release
@pytest.mark.parametrize(
    ("stage", "seconds", "kills"),
    [
        ("manifest", 4, 3),
        ("fetch@digits", 6, 3),
        ("preprocess@digits", 6, 3),
        ("sample@digits", 6, 2),
        ("train@digits-cnn", 14, 8),
        ("evaluate@digits-feedforward", 12, 3),
        ("memorise@digits-feedforward", 14, 3),
        ("attribute@digits-feedforward", 12, 3),
        ("judge@digits-feedforward", 16, 3),
        ("verdict@digits-cnn", 6, 2),
        ("compare@digits", 16, 4),
    ],
)
def test_kills_leave_no_trace(clone, stage, seconds, kills):
    """Each at a moment between DVC's start and about where the stage ends.

    DVC writes its lock in place, for a second or so: killed just then it leaves half of it, which
    git gives back, as the README says.
    """
    moments, back = random.Random(stage), ("git", "checkout", "--quiet", "dvc.lock")
    for _ in range(kills):
        process = clone.start("dvc", "repro", "--force", "--single-item", stage)
        time.sleep(moments.uniform(0.5, seconds))
        clone.kill(process)
        clone.run(*back)
    clone.run(*REPRO)
    clone.run("dvc", "repro", "--force", "--single-item", stage)  # clears what the kills left
    assert clone.partials() == []
    clone.run("python", "-m", "glassnets.tracking", "digits")  # of what DVC had in its cache
    clone.run("python", "-m", "glassnets.pipeline.verify", "--only", "runs", "--dataset", "digits")


@pytest.mark.skipif(not shutil.which("setpriv"), reason="util-linux is not installed")
@pytest.mark.release
def test_without_write_permission_nothing_is_lost(clone):
    """As somebody whom permissions bind: root is not, by nature."""
    folder = clone.folder / "results" / "digits" / "cells" / "cnn"
    right = {path.name: path.read_bytes() for path in folder.iterdir()}
    bound = ("setpriv", "--bounding-set=-dac_override", "--inh-caps=-dac_override")
    folder.chmod(0o555)
    try:
        process = clone.start(
            *bound, "python", "-m", "glassnets.pipeline.stages.evaluate", "digits", "cnn"
        )
        output, _ = process.communicate(timeout=300)
        assert process.returncode == 1, output
        assert "error: Permission denied: " in output
        assert "Traceback" not in output
        process = clone.start(*bound, "dvc", "repro", "--force", "-s", "evaluate@digits-cnn")
        output, _ = process.communicate(timeout=300)
        assert process.returncode not in (0, None)
        assert "ermission denied" in output
        assert "Traceback" not in output
    finally:
        folder.chmod(0o755)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == right


@pytest.mark.release
def test_two_pipelines_at_once_make_what_one_makes(clone):
    """The later one waits, or says that it cannot; neither makes anything else."""
    cells = [clone.start("dvc", "repro", "--force", "--single-item", "evaluate@digits-cnn")]
    cells.append(clone.start("dvc", "repro", "--force", "--single-item", "evaluate@digits-cnn"))
    outputs = [process.communicate(timeout=600)[0] for process in cells]
    assert 0 in [process.returncode for process in cells], outputs
    for process, output in zip(cells, outputs, strict=True):
        assert "Traceback" not in output
        if process.returncode:
            assert "lock" in output.lower() or "busy" in output, output


@pytest.mark.release
def test_a_fresh_clone_pulls_all_and_computes_nothing(clone, tmp_path):
    remote, other = tmp_path / "remote", tmp_path / "other"
    config = clone.folder / ".dvc" / "config"
    kept = config.read_bytes()
    try:
        clone.run("dvc", "remote", "add", "--default", "shelf", str(remote))
        clone.run("dvc", "push")
        shutil.copytree(clone.folder / ".git", other / ".git")
        clone.run("git", "-C", str(other), "checkout", "--quiet", "--force", "HEAD")
        shutil.copy(config, other / ".dvc" / "config")
    finally:
        config.write_bytes(kept)
    here = (
        "bash",
        "-c",
        f"cd {other} && dvc pull --quiet compare@digits --with-deps 2>&1; "
        "dvc status compare@digits --with-deps && dvc repro compare@digits",
    )
    output = clone.run(*here)
    assert "up to date" in output
    assert "Running stage" not in output
    told = clone.run("bash", "-c", f"cd {other} && python -m glassnets.tracking digits")
    assert told == "digits: 4 runs below 2 parent runs in MLflow, 6 of them written now\n"
    report = other / "results" / "digits" / "report.html"
    assert report.read_bytes() == (clone.folder / "results/digits/report.html").read_bytes()
