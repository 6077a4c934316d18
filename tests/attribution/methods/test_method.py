"""What all methods have in common: shape, errors, independence of the other images."""

import numpy as np
import pytest

from glassnets.attribution.methods import (
    CONTROLS,
    METHODS,
    Explained,
    activations,
    controls,
    explain,
    gradients,
    named,
    perturbations,
    requested_variants,
    split,
    variants,
)
from glassnets.attribution.methods.gradients import SmoothGrad
from glassnets.attribution.methods.method import Method
from glassnets.errors import GlassnetsError, ParameterError

EVERYWHERE = {
    *("gradient", "gradient_x_input", "integrated_gradients", "smoothgrad"),
    *("occlusion", "rise", "kernel_shap", "kernel_shap_shifted", *CONTROLS),
}
DEFINED = {
    "feedforward": EVERYWHERE,
    "cnn": EVERYWHERE | {"grad_cam", "grad_cam_plus_plus"},
    "attention": EVERYWHERE | {"attention_rollout", "attention_relevance"},
    "lstm": EVERYWHERE | {"temporal_saliency_rescaling"},
}
SENSITIVITIES = {"gradient", "smoothgrad"}
QUICK = {
    "integrated_gradients": {"steps": 5},
    "smoothgrad": {"draws": 7},
    "occlusion": {"patch_size": 2},
    "rise": {"masks": 40},
    "kernel_shap": {"patch_size": 2, "coalitions": 100},
    "kernel_shap_shifted": {"patch_size": 4, "coalitions": 100, "grids": 2},
}
AT_ONCE = ("feedforward", "cnn")  # the others' graphs take seconds each
CELLS = [
    pytest.param(name, method, marks=[pytest.mark.release] if slow else [])
    for name, methods in DEFINED.items()
    for method in sorted(methods)
    for slow in [name not in AT_ONCE and method in EVERYWHERE]
]


def quick(name, *arguments, **options):
    """`explain` with options that make it quick."""
    return explain(name, *arguments, **QUICK.get(split(name)[0], {}) | options)


def of_method(method):
    """Names of all variants of a method."""
    return [f"{method}:{reference}" for reference in METHODS[method].references] or [method]


@pytest.mark.parametrize(("name", "method"), CELLS)
def test_maps_depend_neither_on_batch_size_nor_on_the_other_images(
    family, draw_images, name, method
):
    x, y, order = draw_images(5).astype(np.uint8), np.arange(5), [3, 0, 4]
    for variant in of_method(method):
        maps = quick(variant, family(name), x, y, seed=3)
        assert maps.shape == (5, 8, 8)
        assert maps.dtype == np.float32
        assert np.isfinite(maps).all()
        assert np.ptp(maps) > 0
        few = quick(variant, family(name, batch_size=6), x[order], y[order], seed=3)
        # Float32 sums over other batches differ in their last digits.
        np.testing.assert_allclose(few, maps[order], rtol=1e-3, atol=1e-4 * np.abs(maps).max())


@pytest.mark.parametrize("method", sorted(EVERYWHERE))
def test_the_same_call_gives_the_same_bytes(family, draw_images, method):
    x, y = draw_images(3), np.arange(3)
    for variant in of_method(method):
        once, again = (quick(variant, family("cnn"), x, y) for _ in range(2))
        np.testing.assert_array_equal(once, again)
        as_bytes = quick(variant, family("cnn"), x.astype(np.uint8), y)
        np.testing.assert_array_equal(once, as_bytes)


@pytest.mark.parametrize(
    "variant",
    [
        *("smoothgrad", "rise:black", "kernel_shap:black", "kernel_shap_shifted:black"),
        *("integrated_gradients:draws", "gradient_x_input:draws", "occlusion:draws"),
    ],
)
def test_random_draws_depend_on_the_seed(family, draw_images, variant):
    x, y = draw_images(1), np.array([0])
    maps = [quick(variant, family("cnn"), x, y, seed=seed) for seed in (0, 1)]
    assert not np.allclose(*maps)


@pytest.mark.parametrize("name", DEFINED)
def test_a_method_that_is_not_defined_for_a_family_is_refused(family, draw_images, name):
    network = family(name)
    assert {m for m in METHODS if METHODS[m].lacks(network) is None} == DEFINED[name]
    for method in METHODS.keys() - DEFINED[name]:
        with pytest.raises(GlassnetsError, match=f"{method}: expected a network with") as caught:
            explain(method, network, draw_images(1), np.array([0]))
        assert "\n" not in str(caught.value)
        assert ", ".join(network.activations) in str(caught.value)


def test_a_network_without_named_activations_has_the_methods_that_read_none(linear):
    network, _ = linear((8, 8))
    defined = {m for m in METHODS if METHODS[m].lacks(network) is None}
    assert defined == EVERYWHERE - {"class_template", "linear_classifier", "nearest_other_class"}


@pytest.mark.parametrize("reference", ["mean", "draws"])
def test_a_reference_from_training_images_needs_them(linear, draw_images, reference):
    network, _ = linear((8, 8))
    with pytest.raises(GlassnetsError, match=r"integrated_gradients: .*training images to take"):
        explain(f"integrated_gradients:{reference}", network, draw_images(1), np.array([0]))
    images = draw_images(4)
    network, _ = linear((8, 8), references=images)
    assert np.ptp(explain(f"occlusion:{reference}", network, images, np.zeros(4, int))) > 0
    with pytest.raises(GlassnetsError, match=r"class_template: .*images and their labels"):
        explain("class_template", network, images, np.zeros(4, int))


@pytest.mark.parametrize(
    ("images", "targets", "message"),
    [
        (np.zeros((2, 8, 9), np.uint8), [0, 0], r"images: expected an array \(n, 8, 8\)"),
        (np.zeros((8, 8), np.uint8), [0], r"images: expected an array \(n, 8, 8\)"),
        (np.zeros((1, 8, 8)), [0], "uint8 or float32, got float64"),
        (np.full((1, 8, 8), np.nan, np.float32), [0], "finite"),
        (np.zeros((2, 8, 8), np.uint8), [0], "targets: expected 2 whole numbers"),
        (np.zeros((1, 8, 8), np.uint8), [0.5], "targets: expected 1 whole numbers"),
        (np.zeros((1, 8, 8), np.uint8), [10], "classes 0 to 9, got 10 to 10"),
        (np.zeros((1, 8, 8), np.uint8), [-1], "classes 0 to 9, got -1 to -1"),
    ],
)
def test_wrong_images_and_targets_are_refused(family, images, targets, message):
    with pytest.raises(GlassnetsError, match=message):
        explain("gradient", family("cnn"), images, np.array(targets))


@pytest.mark.parametrize(
    ("contrast", "message"),
    [
        ([0], "contrast: expected 2 whole numbers"),
        ([0, 10], "contrast: expected classes 0 to 9, got 0 to 10"),
        ([2, 1], "contrast: expected another class than the target"),
    ],
)
def test_a_wrong_contrast_is_refused(family, draw_images, contrast, message):
    with pytest.raises(GlassnetsError, match=message):
        explain(
            "gradient",
            family("cnn"),
            draw_images(2),
            np.array([0, 1]),
            contrast=np.array(contrast),
        )


@pytest.mark.parametrize(
    ("method", "options", "message"),
    [
        ("lime", {}, "method: expected one of gradient, .* got 'lime'"),
        ("gradient", {"steps": 3}, "gradient: steps: .*options: none"),
        ("integrated_gradients", {"step": 3}, "integrated_gradients: step: .*reference, steps"),
        ("integrated_gradients", {"steps": 0}, "steps: .*greater than 0.*got 0"),
        ("integrated_gradients", {"reference": "white"}, "reference: .*'black', 'mean', 'blur'"),
        ("integrated_gradients:white", {}, "expected a reference among black, mean, .* 'white'"),
        ("gradient:black", {}, "gradient: expected a reference among none, got 'black'"),
        ("absolute_difference:black", {}, "expected a reference among mean, blur, got 'black'"),
        ("rise", {"probability": 1.0}, "probability"),
    ],
)
def test_wrong_names_and_options_are_refused(family, draw_images, method, options, message):
    with pytest.raises(ParameterError, match=message) as caught:
        explain(method, family("cnn"), draw_images(1), np.array([0]), **options)
    assert "\n" not in str(caught.value)


def test_options_of_another_method_are_refused(family, draw_images):
    with pytest.raises(ParameterError, match="expected options of Rise, got SmoothGrad"):
        METHODS["rise"](family("cnn"), draw_images(1), np.array([0]), options=SmoothGrad())


def test_no_images_give_no_maps(family):
    for method in METHODS.values():
        if method.lacks(family("cnn")) is None:
            empty = method(family("cnn"), np.zeros((0, 8, 8), np.uint8), np.zeros(0, int))
            assert empty.shape == (0, 8, 8)


def test_networks_that_cannot_be_explained_are_refused(linear):
    import keras

    with pytest.raises(GlassnetsError, match=r"images \(n, h, w\) or \(n, h, w, channels\) to"):
        Explained(keras.Sequential([keras.Input((8,)), keras.layers.Dense(2)]))
    network, _ = linear((8, 8))
    with pytest.raises(GlassnetsError, match="batch_size: expected at least 1"):
        Explained(network.model, batch_size=0)
    with pytest.raises(GlassnetsError, match=r"references: expected images \(m, 8, 8\)"):
        Explained(network.model, references=np.zeros((3, 4, 4), np.uint8))


def test_new_weights_are_explained_at_once(linear, draw_images):
    network, w = linear((8, 8))
    x, y = draw_images(1), np.array([0])
    explain("gradient", network, x, y)
    kernel, bias = network.model.get_weights()
    network.model.set_weights([2 * kernel, bias])
    maps = explain("gradient", network, x, y)
    np.testing.assert_allclose(maps[0], 2 * w[..., 0], rtol=1e-5)


def test_what_is_declared_of_methods():
    complete = {name for name, method in METHODS.items() if method.complete}
    assert complete == {"integrated_gradients", "kernel_shap", "kernel_shap_shifted"}
    assert {name for name, method in METHODS.items() if method.sensitivity} == SENSITIVITIES
    assert (
        *("random_map", "edges", "difference", "absolute_difference"),
        *("class_template", "linear_classifier", "nearest_other_class"),
    ) == CONTROLS


def test_every_method_of_the_modules_is_known_by_its_name():
    for module in (gradients, perturbations, activations, controls):
        for name, member in vars(module).items():
            assert not isinstance(member, Method) or METHODS[name] is member


def test_requested_variants_are_those_that_are_defined_and_every_control(family, parameters):
    settings = parameters.dataset("digits").attribution
    found = requested_variants(settings, family("lstm"))
    requested = DEFINED["lstm"] - {"kernel_shap_shifted"}
    assert set(found) == {variant for method in requested for variant in of_method(method)}
    methods = [split(name)[0] for name in found]
    assert methods == sorted(methods, key=list(METHODS).index)
    assert found["smoothgrad"].options == settings.methods.smoothgrad
    ours = settings.methods.rise.model_copy(update={"reference": "blur"})
    assert found["rise:blur"].options == ours
    none = settings.methods.model_copy(
        update=dict.fromkeys(requested - {"temporal_saliency_rescaling"} - {*CONTROLS})
    )
    only = settings.model_copy(update={"methods": none, "references": ("mean",)})
    of_mean = {"difference", "absolute_difference", "class_template", "linear_classifier"}
    without = {"random_map", "edges", "nearest_other_class"}
    names = {f"{method}:mean" for method in of_mean | {"temporal_saliency_rescaling"}} | without
    assert set(requested_variants(only, family("lstm"))) == names
    with pytest.raises(ParameterError, match=r"attribution\.methods: expected at least one"):
        requested_variants(only, family("feedforward"))


def test_a_variant_has_its_name_its_reference_and_its_maps(family, draw_images, parameters):
    settings = parameters.dataset("digits").attribution
    x, y = draw_images(2), np.array([0, 1])
    for name, variant in variants(settings).items():
        assert variant.name == name
        assert split(name) == (variant.method.name, variant.reference)
        assert variant.needs_training == (
            variant.reference in ("mean", "draws")
            or variant.method.name in ("class_template", "linear_classifier", "nearest_other_class")
        )
    variant = named("occlusion:mean", settings)
    expected = explain(
        "occlusion",
        family("cnn"),
        x,
        y,
        reference="mean",
        **settings.methods.occlusion.model_dump(exclude={"reference"}),
    )
    np.testing.assert_array_equal(variant(family("cnn"), x, y), expected)
    assert named("occlusion").reference == "black"
    assert named("absolute_difference").reference == "mean"


def test_every_method_names_its_source():
    for name, method in METHODS.items():
        assert method.__doc__
        if name == "edges" or not (method.control or name == "kernel_shap_shifted"):
            assert any(
                f"({year})" in method.__doc__ or f" {year})" in method.__doc__
                for year in range(1968, 2027)
            ), name
