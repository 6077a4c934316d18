"""A model of any library is judged by the pipeline's tests, and what cannot be tested is said."""

import keras
import numpy as np
import pytest
from keras import layers
from sklearn.linear_model import LogisticRegression

from glassnets.attribution import judge, verdicts
from glassnets.errors import GlassnetsError, ParameterError


@pytest.fixture(autouse=True)
def _tensorflow(tensorflow):
    pass


RNG = np.random.default_rng(0)
ROWS = RNG.normal(size=(300, 6)).astype(np.float32)
LABELS = (ROWS @ [3, -2, 1, 0, 0, 0] + RNG.normal(size=300) > 0).astype(int)
DATA = (ROWS[:40], LABELS[:40], ROWS[40:], LABELS[40:])


def fitted(rows=slice(40, None)):
    return LogisticRegression().fit(ROWS[rows], LABELS[rows]).predict_proba


def trained(end="softmax", seed=0):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((6,)),
            layers.Dense(32, activation="relu"),
            layers.Dense(2, activation=end),
        ]
    )
    loss = keras.losses.SparseCategoricalCrossentropy(from_logits=end is None)
    model.compile(keras.optimizers.Adam(0.02), loss)
    model.fit(ROWS[40:], LABELS[40:], epochs=15, verbose=0)
    return model


PICTURES = np.linspace(0, 1, 160).reshape(10, 4, 4)
FEW = {"methods": ["occlusion"], "references": ["mean"]}


def test_of_a_function_what_needs_its_inside_is_not_tested():
    judged = judge(fitted(), *DATA)
    assert set(judged.not_made) == {
        "parameter randomization",
        "label randomization",
        verdicts.SPECIFIC,
    }
    assert judged.made == (verdicts.CLASS_SENSITIVITY, verdicts.ABOVE, verdicts.IMAGE)
    assert verdicts.HOLDS not in set(judged.board["verdict"])
    undefined = [note for note in judged.notes if note.startswith("not defined")]
    assert "gradient" in undefined[0]
    assert any("log-odds" in note for note in judged.notes)
    assert "No verdict holds, since not all could be tested" in str(judged)


def test_what_passes_all_that_was_tested_is_supported_and_none_else():
    judged = judge(fitted(), *DATA, others=[fitted(slice(40, 170))])
    assert verdicts.SPECIFIC in judged.made
    tests = judged.judgement.tests
    for method in judged.board.loc[~judged.board["control"], "method"]:
        own = tests[tests["method"] == method]
        passes = set(own["test"]) == set(judged.made) and (own["value"] == "holds").all()
        assert (method in judged.supported) == passes
    firsts = judged.summary["first_by_removal"].values()
    assert {name for names in firsts for name in names} <= {*judged.supported}


@pytest.mark.exhaustive
def test_the_softmax_of_a_keras_model_is_looked_through():
    model, to_logits = trained(), trained(None)
    to_logits.set_weights(model.get_weights())
    before = model.get_weights()
    judged, wanted = (
        judge(each, *DATA, **FEW, sample=20, memorise=30) for each in (model, to_logits)
    )
    assert any("softmax, which is looked through" in note for note in judged.notes)
    assert not any("looked through" in note for note in wanted.notes)
    name = "occlusion:mean"
    np.testing.assert_allclose(judged.attributions[name], wanted.attributions[name], atol=1e-5)
    assert {*judged.not_made} == {verdicts.SPECIFIC}
    assert any("memorised" in note and "shuffled labels" in note for note in judged.notes)
    assert model.optimizer is not None
    for weights, kept in zip(model.get_weights(), before, strict=True):
        np.testing.assert_array_equal(weights, kept)


@pytest.mark.exhaustive
def test_a_keras_model_and_others_allow_every_test():
    model, other = trained(), trained(None, seed=1)
    judged = judge(model, *DATA, **FEW, others=[other], memorise=30)
    assert judged.not_made == {}
    assert "Not tested" not in str(judged)
    assert "6 of 6 tests" in str(judged)
    without = judge(model, *DATA, **FEW, others=[other], memorise=0)
    assert {*without.not_made} == {"label randomization"}


@pytest.mark.exhaustive
def test_a_model_of_half_precision_is_explained_in_single():
    rows = keras.Input((6,))
    half = keras.Model(rows, layers.Dense(2, activation="softmax", dtype="float16")(rows))
    judged = judge(half, *DATA, methods=["occlusion", "gradient"], references=["mean"], sample=10)
    assert judged.attributions["gradient"].dtype == np.float32
    assert np.isfinite(judged.attributions["occlusion:mean"]).all()


def test_layers_that_cannot_be_built_anew_leave_two_tests_out():
    class Own(layers.Layer):
        def __init__(self, number, **options):
            super().__init__(**options)
            self.dense = layers.Dense(number)

        def call(self, inputs):
            return self.dense(inputs)

    rows = keras.Input((6,))
    judged = judge(keras.Model(rows, Own(2)(rows)), *DATA, **FEW, sample=10)
    assert {"parameter randomization", "label randomization"} <= {*judged.not_made}
    assert any("weights cannot be drawn anew" in note for note in judged.notes)


def test_maps_of_other_inputs():
    judged = judge(fitted(), *DATA, **FEW, sample=20)
    maps = judged.explain(ROWS[:3], "occlusion:mean")
    assert maps.shape == (3, 1, 6)
    index = judged.attributions["index"]
    own = judged.explain(ROWS[:40][index], "occlusion:mean")
    np.testing.assert_allclose(own, judged.attributions["occlusion:mean"][0], atol=1e-5)
    with pytest.raises(ParameterError, match="variant: expected one of occlusion:mean"):
        judged.explain(ROWS[:3], "gradient")
    with pytest.raises(ParameterError, match=r"expected inputs \(n, 6\), got \(3, 4\)"):
        judged.explain(ROWS[:3, :4])


def test_a_function_never_gets_more_inputs_at_once_than_it_takes():
    def few(inputs):
        assert len(inputs) <= 7
        return fitted()(inputs)

    assert judge(few, *DATA, batch_size=7, sample=5, **FEW).accuracy is not None
    with pytest.raises(GlassnetsError, match="gives an array of numbers, got AssertionError"):
        judge(few, *DATA, batch_size=8, sample=8, **FEW)


def test_a_method_that_is_run_on_request_alone():
    judged = judge(fitted(), *DATA, methods=["kernel_shap_shifted"], references=["mean"], sample=5)
    assert "kernel_shap_shifted:mean" in judged.variants


def test_the_same_arguments_give_the_same_verdicts():
    one, other = (judge(fitted(), *DATA, **FEW, sample=20) for _ in range(2))
    assert one.board.equals(other.board)


def test_classes_by_name():
    names = np.array(["healthy", "ill"])
    judged = judge(fitted(), ROWS[:40], names[LABELS[:40]], ROWS[40:], names[LABELS[40:]], **FEW)
    assert judged.class_names == ("healthy", "ill")
    assert judged.accuracy > 0.8
    assert any("in the order healthy, ill" in note for note in judged.notes)
    swapped = judge(
        fitted(),
        *(ROWS[:40], names[LABELS[:40]], ROWS[40:], names[LABELS[40:]]),
        class_names=["ill", "healthy"],
        **FEW,
    )
    assert swapped.accuracy == pytest.approx(1 - judged.accuracy)
    assert judged.warnings == ()
    [warning] = swapped.warnings
    assert "check first that the inputs have the scale" in warning
    assert str(swapped).startswith(f"Warning: {warning}.\n")


@pytest.mark.parametrize(
    ("labels", "names", "classes"),
    [
        ([1, 2], ("1", "2"), ("1", "2")),
        ([0, 1], ("1", "2"), ("1", "2")),
        ([1, 2], ("a", "b"), ("a", "b")),
        ([1, 2], None, ("1", "2")),
    ],
)
def test_numbers_as_labels_are_names_where_all_are_and_else_places(labels, names, classes):
    own = np.array(labels)
    judged = judge(
        fitted(), ROWS[:40], own[LABELS[:40]], ROWS[40:], own[LABELS[40:]], class_names=names, **FEW
    )
    assert judged.class_names == classes
    assert judged.accuracy > 0.8
    read = "labels are read as names of classes, which are numbers, not as places"
    assert (read in judged.notes) == (labels == [1, 2] and names == ("1", "2"))


def test_a_few_labels_that_are_names_are_no_places():
    def three(rows):
        return np.column_stack([np.full(len(rows), 0.1), 0.9 * fitted()(rows)])

    own = LABELS + 2
    [warning] = judge(fitted(), ROWS[:40], own[:40], **FEW).warnings
    assert warning.startswith("classes in the order 2, 3: give class_names")
    names = ["1", "2", "3"]
    judged = judge(three, ROWS[:40], own[:40], ROWS[40:], own[40:], class_names=names, **FEW)
    assert judged.accuracy > 0.8
    assert set(judged.attributions["labels"]) == {1, 2}


@pytest.mark.parametrize(("levels", "share"), [((0, 255), "0.39"), ((-50, 50), "1")])
def test_levels_that_take_little_of_the_scale_are_warned_of(levels, share):
    images = RNG.random((60, 4, 4))
    images.flat[:2] = 0, 1
    model = fitted()
    judged = judge(lambda x: model(x.reshape(len(x), -1)[:, :6]), images, scale=levels, **FEW)
    [warning] = judged.warnings
    low, high = levels
    assert warning.startswith(f"the images take {share} % of the scale, {low} to {high}: check")


def test_inputs_of_another_scale_are_warned_of():
    def constant_beyond_one(images):
        p = np.where(images.max(axis=(1, 2)) > 1, 0.9, images[:, 0].mean(axis=1))
        return np.stack([1 - p, p], axis=1)

    images = RNG.random((60, 4, 4))
    labels = (images[:, 0].mean(axis=1) > 0.5).astype(int)
    judged = judge(constant_beyond_one, images, labels, **FEW)
    assert judged.warnings == ()
    [warning] = judge(constant_beyond_one, 255 * images, labels, **FEW).warnings
    assert "pixels 0 to 1, -1 to 1 or 0 to 255 (scale)" in warning


def test_without_training_data_the_others_stand_for_them():
    judged = judge(fitted(), ROWS[:60], LABELS[:60].astype(float), **FEW)
    assert judged.class_names == ("0", "1")
    assert len(judged.attributions["index"]) == 30
    assert any("from the 30 others" in note for note in judged.notes)
    without = judge(fitted(), ROWS[:60], **FEW)
    assert without.accuracy is None
    assert "class_template:mean" not in set(without.board["method"])
    assert any("no controls by classes" in note for note in without.notes)


def test_a_model_that_votes_is_cut_off_at_its_smallest_doubt():
    def votes(rows):
        p = np.clip(np.round(rows[:, 0] + 0.5, 1), 0, 1)
        return np.stack([1 - p, p], axis=1).astype(np.float64)

    judged = judge(votes, *DATA, **FEW)
    assert judged.network.clip == pytest.approx(0.05)
    assert any("is certain of" in note for note in judged.notes)


@pytest.mark.exhaustive
def test_a_keras_model_that_hides_its_softmax():
    class Hidden(layers.Layer):
        def call(self, inputs):
            return keras.ops.softmax(inputs)

    rows = keras.Input((6,))
    model = keras.Model(rows, Hidden()(layers.Dense(2)(rows)))
    judged = judge(model, *DATA, **FEW, sample=10)
    assert any("their logarithms are explained" in note for note in judged.notes)


@pytest.mark.parametrize(
    ("model", "options", "error", "message"),
    [
        ("model.keras", {}, ParameterError, "expected a Keras model, or a function"),
        (lambda x: x[:, :2], {}, GlassnetsError, 'returns="logits"'),
        (fitted(), {"returns": "logits"}, GlassnetsError, "probabilities"),
        (fitted(), {"returns": "odds"}, ParameterError, "returns: expected one of"),
        (fitted(), {"kind": "photo"}, ParameterError, "kind: expected one of"),
        (fitted(), {"clip": 0.7}, ParameterError, "clip: expected"),
        (fitted(), {"class_names": ["a"]}, ParameterError, "class_names: expected 2"),
        (fitted(), {"class_names": ["a", "a"]}, ParameterError, "class_names: expected 2 diff"),
        (fitted(), {"column_names": ["a"] * 6}, ParameterError, "column_names: expected 6 diff"),
        (fitted(), {"column_names": ["a"]}, ParameterError, "column_names: expected 6"),
        (fitted(), {"methods": ["gradiant"]}, ParameterError, "methods: expected some of"),
        (fitted(), {"methods": ["gradient"]}, ParameterError, "at least one that is defined"),
        (fitted(), {"references": ["white"]}, ParameterError, "references: expected some of"),
        (fitted(), {"memorise": -1}, ParameterError, "memorise: expected a whole number"),
        (fitted(), {"sample": 1}, ParameterError, "at least two"),
        (fitted(), {"others": [lambda x: np.full((len(x), 3), 1 / 3)]}, ParameterError, "others"),
        (fitted(), {"others": [fitted()]}, ParameterError, "the model itself"),
    ],
)
def test_what_is_refused_in_one_line(model, options, error, message):
    with pytest.raises(error, match=message) as raised:
        judge(model, *DATA, **options)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((np.where(ROWS[:40] > 2, np.nan, ROWS[:40]), *DATA[1:]), "images: expected numbers"),
        ((ROWS[:40].astype(str), *DATA[1:]), "images: expected an array of numbers"),
        ((ROWS[:40], LABELS[:30]), "labels: expected 40"),
        ((ROWS[:40], np.eye(2)[LABELS[:40]]), r"one-hot\? Give labels.argmax\(axis=1\)"),
        ((ROWS[:40], np.arange(40)), "labels: expected numbers 0 to 1"),
        ((*DATA[:2], ROWS[40:, :3], LABELS[40:]), "train_images: expected an array like"),
        ((ROWS[:3],), "at least two"),
        ((ROWS[:40], [None, "a"] * 20), "labels: expected one for each, got none for some"),
        ((*DATA[:2], None, LABELS), "train_labels: expected train_images beside them"),
        ((PICTURES, None, 255 * PICTURES), r"levels as in images \(0 to 1\), got"),
    ],
)
def test_data_that_are_refused_in_one_line(data, message):
    with pytest.raises(ParameterError, match=message):
        judge(fitted(), *data)
