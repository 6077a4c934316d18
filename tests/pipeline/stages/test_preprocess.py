"""preprocess@D on made-up data of a person's own: groups, times, a table with missing numbers."""

from pathlib import Path

import numpy as np
import pytest

from glassnets import config
from glassnets.config.schema import Source
from glassnets.pipeline import artefacts
from glassnets.pipeline.stages.preprocess import preprocess

ROOT = Path(__file__).parents[3]
PARAMS = config.load(ROOT / "params.yaml")
TABLE = Source(
    kind="table",
    path="wine.csv",
    label="class",
    columns={"alcohol": "number", "colour": ("red", "white")},
    group="maker",
    time="year",
)


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project with a raw table of 100 rows, twenty groups and a missing number in ten."""
    (tmp_path / "dvc.yaml").touch()
    monkeypatch.chdir(tmp_path)
    rng = np.random.default_rng(0)
    images = np.zeros((100, 1, 2, 2), np.float32)
    images[:, 0, 0, 0] = rng.normal(12, 1, 100)
    images[::10, 0, 0] = [np.nan, 1]
    images[np.arange(100), 0, 1, rng.integers(0, 2, 100)] = 1
    arrays = {
        "images": images,
        "labels": rng.integers(0, 2, 100).astype(np.uint8),
        "groups": np.arange(100) // 5,
        "times": np.arange(100) / 10,
    }
    path = artefacts.raw("digits")
    path.parent.mkdir(parents=True)
    artefacts.save_arrays(path, arrays)
    return tmp_path


def run(**changed):
    update = {"source": TABLE, "classes": 2, **changed}
    digits = PARAMS.dataset("digits").model_copy(update=update)
    preprocess(PARAMS.model_copy(update={"digits": digits}), "digits")
    parts = ("train", "validation", "test")
    return {name: artefacts.load_arrays(artefacts.part("digits", name)) for name in parts}


def test_missing_numbers_are_filled(project):
    parts = run(split="random")
    raw = artefacts.load_arrays(artefacts.raw("digits"))["images"]
    column = raw[parts["train"]["index"], 0, 0, 0].astype(np.float64)
    mean = np.float32(np.nanmean(column))
    for part in parts.values():
        filled, own = part["images"], raw[part["index"]]
        missing = np.isnan(own[..., 0])
        assert filled.dtype == np.float32
        assert filled[..., 0][missing] == pytest.approx(mean, rel=1e-6)
        np.testing.assert_array_equal(filled[..., 0][~missing], own[..., 0][~missing])
        np.testing.assert_array_equal(filled[..., 1], own[..., 1])
    split = artefacts.load_json(artefacts.results("digits") / "split.json")
    assert list(split) == ["images", "duplicates_of_earlier_parts"]


@pytest.mark.parametrize(("split", "key"), [("grouped", "groups"), ("by_time", "times")])
def test_the_summary_says_how_it_was_split(project, split, key):
    parts = run(split=split)
    summary = artefacts.load_json(artefacts.results("digits") / "split.json")
    assert summary["split"] == split
    for name, part in parts.items():
        assert summary["images"][name] == len(part["labels"]) == len(part[key])
        values = part[key]
        expected = len(set(values)) if split == "grouped" else [values.min(), values.max()]
        assert summary[key][name] == expected
