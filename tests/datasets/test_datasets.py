import inspect
from pathlib import Path

import numpy as np
import pytest

from glassnets import datasets, params, registry
from glassnets.datasets import digits
from glassnets.errors import GlassnetsError, ParameterError

PINNED = params.load(Path(__file__).parents[2] / "params.yaml").dataset("digits")


@pytest.mark.parametrize("name", [n for n in registry.names("datasets") if n != "planted"])
def test_every_dataset_that_is_fetched_has_the_one_function(name):
    load = registry.member("datasets", name).load
    assert list(inspect.signature(load).parameters) == ["external"]


def test_a_dataset_that_is_made_is_not_fetched(tmp_path):
    made = params.load(Path(__file__).parents[2] / "params.yaml").dataset("planted")
    with pytest.raises(ParameterError, match="dvc repro plant@planted"):
        datasets.load("planted", made, tmp_path)


def test_what_params_pins_is_what_comes(tmp_path):
    arrays = datasets.load("digits", PINNED, tmp_path)
    np.testing.assert_array_equal(arrays["images"], digits.load(tmp_path)["images"])
    np.testing.assert_array_equal(arrays["labels"], digits.load(tmp_path)["labels"])


@pytest.mark.parametrize("key", ["images", "labels"])
def test_another_hash_is_refused_and_both_are_named(tmp_path, key):
    other = "0" * 64
    expected = getattr(PINNED, f"{key}_sha256")
    dataset = PINNED.model_copy(update={f"{key}_sha256": other})
    with pytest.raises(GlassnetsError) as error:
        datasets.load("digits", dataset, tmp_path)
    message = str(error.value)
    for word in (f"digits.{key}_sha256", other, expected):
        assert word in message
    assert "\n" not in message
    assert error.value.exit_code == 1


@pytest.mark.parametrize("key", ["images", "labels"])
def test_one_changed_byte_is_refused(tmp_path, monkeypatch, key):
    arrays = digits.load(tmp_path)
    arrays[key].flat[-1] ^= 1
    monkeypatch.setattr(digits, "load", lambda external: arrays)
    with pytest.raises(GlassnetsError, match=f"expected {key} of sha256"):
        datasets.load("digits", PINNED, tmp_path)


def test_another_shape_is_refused(tmp_path):
    dataset = PINNED.model_copy(update={"shape": (1797, 8, 9)})
    with pytest.raises(GlassnetsError, match=r"\[1797, 8, 9\].*got \[1797, 8, 8\]"):
        datasets.load("digits", dataset, tmp_path)


def test_the_same_bytes_in_another_shape_are_refused(tmp_path, monkeypatch):
    arrays = digits.load(tmp_path)
    arrays["images"] = arrays["images"].reshape(1797, 4, 16)
    monkeypatch.setattr(digits, "load", lambda external: arrays)
    with pytest.raises(GlassnetsError, match=r"got \[1797, 4, 16\]"):
        datasets.load("digits", PINNED, tmp_path)


def test_the_folder_for_third_party_files_is_handed_on(tmp_path, monkeypatch):
    came = []

    def load(external):
        came.append(external)
        return arrays

    arrays = digits.load(tmp_path)
    monkeypatch.setattr(digits, "load", load)
    datasets.load("digits", PINNED, tmp_path)
    assert came == [tmp_path]
