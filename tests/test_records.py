"""What the page of records says is what its tables hold."""

import importlib.util
import sys
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest

from glassnets.pipeline import artefacts

BENCHMARKS = artefacts.root() / "benchmarks"


@pytest.fixture(scope="module")
def records():
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(BENCHMARKS))  # as where Python runs it
        spec = importlib.util.spec_from_file_location("records", BENCHMARKS / "records.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        yield module
    sys.modules.pop("recipes", None)


def test_its_recipes_are_of_the_official_split(records):
    data = records.dataset()
    assert data.split == "official"
    assert set(data.families) >= set(records.FLOORS)


@pytest.mark.parametrize("down", [-1, 0, 1])
@pytest.mark.parametrize("right", [-1, 0, 2])
def test_shifts_move_every_pixel_and_leave_black(records, down, right):
    images = np.random.default_rng(0).integers(1, 256, (3, 6, 5), dtype=np.uint8)
    expected = np.zeros_like(images)
    for row, column in np.ndindex(6, 5):
        if 0 <= row + down < 6 and 0 <= column + right < 5:
            expected[:, row + down, column + right] = images[:, row, column]
    np.testing.assert_array_equal(records.shifted(images, down, right), expected)


def test_the_page_is_that_of_its_tables(records, tmp_path, monkeypatch):
    kept = (records.HERE / "README.md").read_text(encoding="utf-8")
    written = tmp_path / "README.md"
    monkeypatch.setattr(records.artefacts, "replacing", lambda _: nullcontext([written]))
    records.write_page()
    assert written.read_text(encoding="utf-8") == kept


def test_every_row_has_its_predictions(records):
    for row in records.known().itertuples():
        arrays = np.load(records.predictions(row.family, row.seed))
        for part in ("validation", "test"):
            labels = arrays[f"{part}_labels"]
            accuracy = (arrays[part].argmax(axis=1) == labels).mean()
            # Of probabilities as near as float16 has them.
            assert accuracy == pytest.approx(getattr(row, f"{part}_accuracy"), abs=2e-4)


def test_an_ensemble_is_the_mean_of_a_network_of_each_family(records, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "HERE", tmp_path)
    (tmp_path / "predictions").mkdir()
    labels = np.array([0, 1, 1, 0], np.uint8)
    wrong_of = dict(zip(records.FLOORS, range(4), strict=True))  # each errs in another image
    rows = pd.DataFrame([{"family": f, "seed": s} for f in wrong_of for s in (0, 1)])
    for family, seed in rows.itertuples(index=False):
        sure = np.where(np.arange(4) == wrong_of[family], 0.6, 0.1)
        right = 1 - sure
        p = np.where(np.eye(2)[labels] == 1, right[:, None], sure[:, None]).astype(np.float16)
        arrays = dict.fromkeys(("test", "test_of_shifts", "validation"), p)
        arrays |= {"test_labels": labels, "validation_labels": labels}
        np.savez(records.predictions(family, seed), **arrays)
    (line,) = records.ensembles(rows)
    assert line["test %"] == "100.00 ± 0.00 (2)"
    assert line["at least"] == "99.8 reached"
