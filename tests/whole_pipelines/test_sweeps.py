"""Sweeps and searches of a tiny digits, every task by DVC: the same files with any number of
workers, in any order, with tasks given twice, workers and drivers killed, with and without Dask."""

import hashlib
import json
import shutil
import signal
import sys
import time

import pandas as pd
import pytest

pytestmark = pytest.mark.exhaustive
RATES = "digits.feedforward.training.learning_rate=0.001,0.003"
OUT = "sweeps/swept"
GRID = ("sweep", RATES, "--seeds", "0,1")
LARGE = (  # 24 trainings
    "sweep",
    "+digits.training.weight_decay=0.0,0.1",
    "+digits.training.batch_size=16,32",
    *("--seeds", "0,1,2"),
    *("--cell", "digits-feedforward", "--cell", "digits-cnn"),
)
# Every task is given twice, in an order of its own, to four workers.
SHUFFLED = """
import random
from concurrent.futures import ProcessPoolExecutor
submit = ProcessPoolExecutor.submit
def twice(pool, run, *arguments):
    submit(pool, run, *arguments)
    return submit(pool, run, *arguments)
if __name__ == "__main__":
    ProcessPoolExecutor.submit = twice
    from glassnets.sweeps.plan import Plan
    from glassnets.apps import command
    tasks = Plan.tasks
    Plan.tasks = lambda plan: random.Random(1).sample(tasks(plan), len(tasks(plan)))
    command.main()
"""


def forget(clone):
    """Takes away all that sweeps of the clone have kept."""
    shutil.rmtree(clone.folder / ".dvc" / "tmp" / "sweeps", ignore_errors=True)


def swept(clone, *words, script=None):
    """The files of a sweep or search, sha256 by path, from nothing; what it printed."""
    forget(clone)
    command = ("glassnets",) if script is None else (sys.executable, str(script))
    printed = clone.run(*command, *words, "--out", OUT)
    return files(clone), printed


def files(clone):
    """sha256 of every file of a result but Optuna's database, which has times."""
    folder = clone.folder / OUT
    found = {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and path.suffix != ".db"
    }
    shutil.rmtree(folder)
    return found


def remote(clone):
    return clone.hashes(".dvc/tmp/sweeps/remote")


@pytest.fixture
def dask(clone, tmp_path):
    """``dask(workers)``: a scheduler on loopback with as many workers; its address, the workers."""
    started = []

    def start(workers):
        address = tmp_path / "scheduler.json"
        started.append(
            clone.start(
                *("dask", "scheduler", "--host", "127.0.0.1", "--port", "0", "--no-dashboard"),
                *("--scheduler-file", str(address)),
            )
        )
        while not address.is_file():
            time.sleep(0.1)
        url = json.loads(address.read_text())["address"]
        for _ in range(workers):
            words = ("dask", "worker", url, "--nthreads", "1", "--nworkers", "1", "--no-dashboard")
            started.append(clone.start(*words, "--local-directory", str(tmp_path)))
        return url, started[1:]

    yield start
    for process in started:
        clone.kill(process)


def test_a_network_of_a_sweep_is_the_one_that_dvc_repro_makes(clone):
    before = clone.run("git", "status", "--porcelain"), clone.lock()
    words = ("sweep", RATES, "--seeds", "1", "--stage", "evaluate", "--workers", "2", "--out", OUT)
    printed = clone.run("glassnets", *words)
    assert (clone.run("git", "status", "--porcelain"), clone.lock()) == before
    assert "2 settings of digits-feedforward" in printed
    networks = pd.read_csv(clone.folder / OUT / "networks.csv")
    assert networks[["val_accuracy", "test_accuracy"]].gt(0).all(axis=None)
    outputs = pd.read_csv(clone.folder / OUT / "outputs.csv")
    assert len(outputs) == 14
    own = outputs[outputs["setting"] == 2].set_index("path")["md5"]
    try:
        shutil.copy(clone.folder / OUT / "002-seed-1" / "params.yaml", clone.folder)
        ran = clone.stages_run(clone.run("dvc", "repro", "evaluate@digits-feedforward"))
        assert ran[1:] == ["train@digits-feedforward", "evaluate@digits-feedforward"]
        for md5 in own:
            assert md5 in clone.lock().decode()
    finally:
        clone.run("git", "checkout", "--quiet", "--", ".")
        clone.run("dvc", "checkout", "--force", "evaluate@digits-feedforward")
        clone.run("dvc", "checkout", "--force", "train@digits-feedforward")
        shutil.rmtree(clone.folder / OUT)
    # Asked again, nothing is trained, and MLflow has the same runs.
    kept = clone.hashes(".dvc/tmp/sweeps/remote")
    assert clone.run("glassnets", *words).endswith(printed[printed.index("# 2 settings") :])
    assert clone.hashes(".dvc/tmp/sweeps/remote") == kept
    script = (
        "from glassnets.tracking import store\n"
        "with store.experiment('sweeps') as e: print(len(e.runs({})))"
    )
    assert clone.run("python", "-c", script).splitlines()[-1] == "3"
    shutil.rmtree(clone.folder / OUT)


@pytest.mark.release
def test_files_do_not_depend_on_workers_order_doubles_or_kills(clone, tmp_path):
    one, _ = swept(clone, *GRID, "--workers", "1")
    assert sum(path.endswith("dvc.lock") for path in one) == 4
    objects = remote(clone)
    for workers in ("2", "4"):
        assert swept(clone, *GRID, "--workers", workers)[0] == one
        assert remote(clone) == objects
    script = tmp_path / "shuffled.py"
    script.write_text(SHUFFLED)
    assert swept(clone, *GRID, "--workers", "4", script=script)[0] == one
    assert remote(clone) == objects
    forget(clone)
    outcomes = clone.folder / ".dvc" / "tmp" / "sweeps"
    for done in (1, 3):  # killed when so many networks are there
        driver = clone.start("glassnets", *GRID, "--workers", "2", "--out", OUT)
        while len([*outcomes.glob("*/outcomes-*/*.json")]) < done:
            assert driver.poll() is None
            time.sleep(0.2)
        clone.kill(driver)
        assert not (clone.folder / OUT).exists()
    clone.run("glassnets", *GRID, "--workers", "2", "--out", OUT)
    assert files(clone) == one
    assert remote(clone) == objects


@pytest.mark.release
def test_dask_gives_the_files_of_processes(clone, dask):
    alone, _ = swept(clone, *LARGE, "--workers", "2")
    assert sum(path.endswith("dvc.lock") for path in alone) == 12
    url, workers = dask(2)
    forget(clone)
    driver = clone.start("glassnets", *LARGE, "--scheduler", url, "--out", OUT)
    outcomes = clone.folder / ".dvc" / "tmp" / "sweeps"
    while len([*outcomes.glob("*/outcomes-*/*.json")]) < 3:
        assert driver.poll() is None
        time.sleep(0.2)
    workers[0].send_signal(signal.SIGKILL)  # the other one does its work
    printed, _ = driver.communicate(timeout=1800)
    assert driver.returncode == 0, printed
    assert files(clone) == alone


@pytest.mark.release
def test_a_worker_of_other_packages_is_refused(clone, dask):
    version = "import importlib.metadata as m; v = m.version\n"
    version += "m.version = lambda name: '0' if name == 'numpy' else v(name)\n"
    site = clone.folder.parent / "other"
    site.mkdir()
    (site / "sitecustomize.py").write_text(version)
    path = clone.environment["PYTHONPATH"]
    clone.environment["PYTHONPATH"] = f"{site}:{path}"
    try:
        url, _ = dask(1)
        time.sleep(5)
    finally:
        clone.environment["PYTHONPATH"] = path
    printed = clone.run("glassnets", *GRID, "--scheduler", url, "--out", OUT, check=False)
    assert "error: expected numpy" in printed
    assert "got 0 on" in printed
    assert not (clone.folder / OUT).exists()


SEARCH = (
    *("search", "digits-feedforward", "--seeds", "0", "--trials", "6", "--batch", "2"),
    *("--startup", "2", "digits.feedforward.training.learning_rate=tag(log,interval(0.0001,0.1))"),
)


@pytest.mark.release
def test_a_search_has_the_same_best_with_any_number_of_workers_and_after_a_kill(clone):
    one, printed = swept(clone, *SEARCH, "--workers", "1")
    assert "6 settings tried" in printed
    assert "trials.csv" in one
    assert swept(clone, *SEARCH, "--workers", "2")[0] == one
    forget(clone)
    outcomes = clone.folder / ".dvc" / "tmp" / "sweeps"
    driver = clone.start("glassnets", *SEARCH, "--workers", "2", "--out", OUT)
    while len([*outcomes.glob("*/outcomes-*/*.json")]) < 3:
        assert driver.poll() is None
        time.sleep(0.2)
    clone.kill(driver)
    clone.run("glassnets", *SEARCH, "--workers", "2", "--out", OUT)
    assert files(clone) == one


WATCH = """
import os, sys
def watch(event, arguments):
    if event == "open" and str(arguments[0]).endswith("test.npz"):
        with open(os.environ["OPENED"], "a") as f:
            f.write(" ".join(sys.orig_argv) + chr(10))
sys.addaudithook(watch)
"""


@pytest.mark.release
def test_a_search_reads_no_test_image(clone):
    """But for DVC, which puts the parts of the split into a copy and hashes them."""
    site = clone.folder.parent / "watched"
    site.mkdir()
    (site / "sitecustomize.py").write_text(WATCH)
    opened = clone.folder.parent / "opened.txt"
    path = clone.environment["PYTHONPATH"]
    clone.environment |= {"PYTHONPATH": f"{site}:{path}", "OPENED": str(opened)}
    try:
        forget(clone)
        clone.run("glassnets", *SEARCH, "--out", OUT)
        stages = [line for line in opened.read_text().splitlines() if "stages." in line]
        assert stages  # preprocess writes it
        assert {line.split("stages.")[1].split()[0] for line in stages} == {"preprocess"}
    finally:
        clone.environment["PYTHONPATH"] = path
        shutil.rmtree(clone.folder / OUT, ignore_errors=True)
