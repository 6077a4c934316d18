"""What the page of records says is what its tables hold."""

import importlib.util
import re
import sys
from contextlib import nullcontext
from itertools import product

import numpy as np
import pandas as pd
import pytest
from scipy import special

from glassnets import config
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
    recipes = records.recipes()
    for name, recipe in recipes.items():
        assert recipe.data.split == "official"
        assert recipe.family in records.FLOORS
        assert set(recipe.data.families) >= set(records.FLOORS)
        if how := recipe.distillation:
            assert set(how.teachers) <= set(recipes) - {name}
            assert set(how.teachers.values()) <= set(range(records.SEEDS))


def test_a_recipe_put_into_the_parameters_changes_its_family_alone(
    records, parameters, tmp_path, monkeypatch
):
    def comments(text):
        return re.findall(" *#.*", text)

    recipes = records.recipes()
    before = artefacts.params_file().read_text(encoding="utf-8")
    path = tmp_path / "params.yaml"
    monkeypatch.setattr(records.artefacts, "params_file", lambda: path)
    for name, recipe in recipes.items():
        path.write_text(before, encoding="utf-8")
        records.apply(name)
        after, mnist = config.load(path).dataset("mnist"), parameters.dataset("mnist")
        for family in mnist.families:
            of = recipe.data if family == recipe.family else mnist
            assert after.family(family).model_dump() == of.family(family).model_dump()
        assert comments(path.read_text(encoding="utf-8")) == comments(before)


@pytest.mark.parametrize("number", [1, 2, 3])
def test_a_distilled_loss_is_in_part_the_distance_to_the_mean_of_teachers(
    records, tensorflow, number
):
    import keras

    keras.utils.set_random_seed(0)
    draw = np.random.default_rng(0)
    x = draw.normal(size=(5, 3)).astype("float32")
    y = np.eye(4, dtype="float32")[draw.integers(0, 4, 5)]
    student, *teachers = (
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)]) for _ in range(1 + number)
    )
    how = records.Distillation(teachers={"cnn": 0}, weight=0.7, temperature=2.0)
    model = records.distilled(student, teachers, how)
    model.compile(loss=keras.losses.CategoricalCrossentropy(from_logits=True))
    logits, *aims = (
        special.log_softmax(net(x).numpy().astype(float), axis=1) for net in (student, *teachers)
    )

    of_labels = -(y * logits).sum(axis=1).mean()
    soft = np.mean([special.softmax(aim / 2, axis=1) for aim in aims], axis=0)
    of_teachers = -(soft * special.log_softmax(logits / 2, axis=1)).sum(axis=1).mean()
    assert float(model.compute_loss(x, y, student(x), training=False)) == pytest.approx(of_labels)
    assert float(model.compute_loss(x, y, student(x))) == pytest.approx(
        0.3 * of_labels + 0.7 * 4 * of_teachers, rel=1e-5
    )


def test_a_distilled_network_learns_and_its_teacher_does_not(records, tensorflow):
    import keras

    keras.utils.set_random_seed(0)
    draw = np.random.default_rng(0)
    x = draw.normal(size=(64, 3)).astype("float32")
    student, teacher = (
        keras.Sequential([keras.Input((3,)), keras.layers.Dense(4)]) for _ in range(2)
    )
    before = [weight.numpy() for weight in teacher.weights]
    model = records.distilled(student, [teacher], records.Distillation({"cnn": 0}, 1.0, 1.0))
    model.compile(
        optimizer=keras.optimizers.Adam(0.1),
        loss=keras.losses.CategoricalCrossentropy(from_logits=True),
    )
    model.fit(x, np.eye(4)[draw.integers(0, 4, 64)], epochs=60, verbose=0)
    # Of labels drawn by lot it learns nothing: it answers as its teacher does.
    np.testing.assert_allclose(
        keras.ops.softmax(student(x)), keras.ops.softmax(teacher(x)), atol=0.05
    )
    for weight, value in zip(teacher.weights, before, strict=True):
        np.testing.assert_array_equal(weight.numpy(), value)


def test_teachers_are_trained_before_those_they_teach(records, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "HERE", tmp_path)
    monkeypatch.setattr(records, "SEEDS", 3)
    monkeypatch.setattr(records.artefacts, "root", lambda: tmp_path)
    taught_by = {
        "feedforward": {},
        "teacher": {},
        "cnn": {"teacher": 1},
        "lstm": {"teacher": 0, "cnn": 1},
    }
    recipes = {
        name: records.Recipe(name, {}, None, records.Distillation(of, 0.9, 2.0) if of else None)
        for name, of in taught_by.items()
    }
    for name, seed in product(taught_by, range(3)):
        if (name, seed) not in [("feedforward", 1), ("lstm", 0), ("lstm", 1)]:
            records.add({"recipe": name, "seed": seed})
    # The weights of lstm's teachers are not there, nor those of its own.
    last = [("lstm", 0), ("lstm", 1)]
    everything = [[("feedforward", 1), ("teacher", 0), ("teacher", 1)], [("cnn", 1)], last]
    assert records.jobs(list(taught_by), recipes) == everything
    assert records.jobs(["teacher", "cnn"], recipes) == []
    for teacher in recipes["lstm"].distillation.teachers.items():
        weights = records.artefacts.weights("records", *teacher)
        weights.parent.mkdir(parents=True)
        weights.touch()
    assert records.jobs(["lstm"], recipes) == [last]


def test_a_network_trained_again_takes_the_place_of_its_row(records, tmp_path, monkeypatch):
    monkeypatch.setattr(records, "HERE", tmp_path)
    for seed, accuracy in [(1, 0.5), (0, 0.6), (1, 0.7)]:
        records.add({"recipe": "cnn", "seed": seed, "test_accuracy": accuracy})
    assert [*records.known().itertuples(index=False, name=None)] == [
        ("cnn", 0, 0.6),
        ("cnn", 1, 0.7),
    ]


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
        arrays = np.load(records.predictions(row.recipe, row.seed))
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
    rows = pd.DataFrame([{"recipe": f, "seed": s} for f in wrong_of for s in (0, 1)])
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
