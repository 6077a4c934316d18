"""glassnets add on the largest data that it takes: looking stays within 2 GiB."""

import resource
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.release


def numbers(path):
    """A CSV of nearly 200 MB."""
    rng = np.random.default_rng(0)
    with path.open("w") as file:
        file.write(",".join([*(f"c{i}" for i in range(20)), "label"]) + "\n")
        for i in range(99):
            rows = [
                ",".join(f"{value:.6f}" for value in row) for row in rng.normal(size=(10_000, 20))
            ]
            file.writelines(f"{row},{'xyz'[(i + j) % 3]}\n" for j, row in enumerate(rows))


def categories(path):
    """A CSV of many fields, of one letter each."""
    rng = np.random.default_rng(0)
    rows = [",".join(rng.choice(list("abcdefg"), 60)) for _ in range(1000)]
    with path.open("w") as file:
        file.write(",".join([*(f"c{i}" for i in range(60)), "label"]) + "\n")
        file.writelines(f"{rows[i % 1000]},{'xyz'[i % 3]}\n" for i in range(310_000))


def pictures(path):
    """An archive of nearly 512 MiB, channels first."""
    images = np.random.default_rng(0).integers(0, 256, (43_000, 3, 64, 64), dtype=np.uint8)
    np.savez(path, images=images, labels=np.arange(len(images)) % 3)


def fractions(path):
    """An archive of pictures in fractions, as large."""
    images = np.random.default_rng(0).random((21_000, 56, 56), dtype=np.float32)
    images = np.concatenate([images, images[::-1]])
    np.savez(path, images=images, labels=np.arange(len(images)) % 3)


def texts(path):
    """A Parquet file of different texts."""
    pytest.importorskip("pyarrow")
    n = 390_000  # a text counts as three fields
    columns = {f"c{i}": [f"{i}-{j:x}" for j in range(n)] for i in range(20)}
    columns |= {"a": np.arange(n) % 7, "b": np.arange(n) % 5, "label": np.arange(n) % 3}
    pd.DataFrame(columns).to_parquet(path)


@pytest.mark.parametrize(
    ("write", "name"),
    [
        (numbers, "t.csv"),
        (categories, "t.csv"),
        (pictures, "d.npz"),
        (fractions, "d.npz"),
        (texts, "t.parquet"),
    ],
)
def test_looking_stays_within_two_gib(tmp_path, write, name):
    for file in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / file, tmp_path)
    write(tmp_path / name)
    command = [sys.executable, "-m", "glassnets.apps.command", "add", "mine", name, "--dry-run"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss  # of the largest so far
    peak *= 1 if sys.platform == "darwin" else 1024  # Linux counts in KiB
    assert peak < 2 * 2**30
