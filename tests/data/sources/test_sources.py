"""What is loaded is what params.yaml pins; what is planted stands on what is loaded."""

import inspect
from pathlib import Path

import numpy as np
import pytest

from glassnets import config, registry
from glassnets.data import sources
from glassnets.data.sources import digits, planted
from glassnets.errors import GlassnetsError, ParameterError

PARAMS = config.load(Path(__file__).parents[3] / "params.yaml")


def load(folder, name="digits", **changes):
    """The arrays of a dataset, whose group in params.yaml is changed so."""
    dataset = PARAMS.dataset(name).model_copy(update=changes)
    params = PARAMS.model_copy(update={name: dataset})
    return sources.load(name, params, folder, lambda each: folder / each)


@pytest.mark.parametrize("name", [n for n in registry.names("data.sources") if n != "planted"])
def test_every_dataset_that_is_loaded_has_the_one_function(name):
    parameters = inspect.signature(registry.member("data.sources", name).load).parameters
    assert list(parameters) == ["external"]


def test_what_params_pins_is_what_comes(tmp_path):
    arrays = load(tmp_path)
    np.testing.assert_array_equal(arrays["images"], digits.load(tmp_path)["images"])
    np.testing.assert_array_equal(arrays["labels"], digits.load(tmp_path)["labels"])


@pytest.mark.parametrize("key", ["images", "labels"])
def test_another_hash_is_refused_and_both_are_named(tmp_path, key):
    other = "0" * 64
    pinned = PARAMS.dataset("digits").sha256
    with pytest.raises(GlassnetsError) as error:
        load(tmp_path, sha256=pinned.model_copy(update={key: other}))
    message = str(error.value)
    for word in (f"digits.sha256.{key}", other, getattr(pinned, key)):
        assert word in message
    assert "\n" not in message
    assert error.value.exit_code == 1


@pytest.mark.parametrize("key", ["images", "labels"])
def test_one_changed_byte_is_refused(tmp_path, monkeypatch, key):
    arrays = digits.load(tmp_path)
    arrays[key].flat[-1] ^= 1
    monkeypatch.setattr(digits, "load", lambda external: arrays)
    with pytest.raises(GlassnetsError, match=f"expected {key} of sha256"):
        load(tmp_path)


def test_another_shape_is_refused(tmp_path):
    shape = PARAMS.dataset("digits").shape.model_copy(update={"width": 9})
    with pytest.raises(GlassnetsError, match=r"\[1797, 8, 9\].*got \[1797, 8, 8\]"):
        load(tmp_path, shape=shape)


def test_the_same_bytes_in_another_shape_are_refused(tmp_path, monkeypatch):
    arrays = digits.load(tmp_path)
    arrays["images"] = arrays["images"].reshape(1797, 4, 16)
    monkeypatch.setattr(digits, "load", lambda external: arrays)
    with pytest.raises(GlassnetsError, match=r"got \[1797, 4, 16\]"):
        load(tmp_path)


def test_the_folder_for_third_party_files_is_handed_on(tmp_path, monkeypatch):
    came = []
    arrays = digits.load(tmp_path)
    monkeypatch.setattr(digits, "load", lambda external: came.append(external) or arrays)
    load(tmp_path)
    assert came == [tmp_path / "digits"]


def test_cues_are_planted_over_the_source_that_is_named(tmp_path, monkeypatch):
    came = []
    arrays = digits.load(tmp_path)
    monkeypatch.setattr(digits, "load", lambda external: came.append(external) or arrays)
    dataset = PARAMS.dataset("planted")
    shape = dataset.shape.model_copy(update={"images": 60})
    made = load(tmp_path, "planted", shape=shape)
    assert came == [tmp_path / "digits"]
    expected = planted.plant(arrays["images"], dataset.model_copy(update={"shape": shape}))
    assert set(made) == set(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(made[name], array, strict=True)


def test_the_source_of_planted_images_must_be_as_pinned(tmp_path, monkeypatch):
    arrays = digits.load(tmp_path)
    arrays["images"].flat[-1] ^= 1
    monkeypatch.setattr(digits, "load", lambda external: arrays)
    with pytest.raises(GlassnetsError, match="digits: expected images of sha256"):
        load(tmp_path, "planted")


@pytest.mark.parametrize(
    ("name", "other", "came"),
    [("digits", "planted", "null, got a group"), ("planted", "digits", "a group, got null")],
)
def test_planting_a_dataset_that_is_loaded_or_not_planting_the_other(tmp_path, name, other, came):
    planting = PARAMS.dataset(other).planting
    with pytest.raises(ParameterError, match=rf"params\.yaml: {name}\.planting: expected {came}"):
        load(tmp_path, name, planting=planting)
