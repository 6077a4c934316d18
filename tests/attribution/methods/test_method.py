"""What all methods have in common: shape, errors, independence of the other images."""

import numpy as np
import pytest

from glassnets.attribution.methods import (
    COMPLETE,
    CONTROLS,
    METHODS,
    SENSITIVITIES,
    Explained,
    activations,
    controls,
    explain,
    gradients,
    perturbations,
    requested_methods,
)
from glassnets.attribution.methods.gradients import SmoothGrad
from glassnets.attribution.methods.method import Method, Need
from glassnets.errors import GlassnetsError, ParameterError

EVERYWHERE = {
    *("gradient", "gradient_x_input", "integrated_gradients", "expected_gradients", "smoothgrad"),
    *("occlusion", "rise", "kernel_shap", *CONTROLS),
}
DEFINED = {
    "feedforward": EVERYWHERE,
    "cnn": EVERYWHERE | {"grad_cam", "grad_cam_plus_plus"},
    "attention": EVERYWHERE | {"attention_rollout", "attention_relevance"},
    "lstm": EVERYWHERE | {"temporal_saliency_rescaling"},
}
QUICK = {
    "integrated_gradients": {"steps": 5},
    "expected_gradients": {"draws": 7},
    "smoothgrad": {"draws": 7},
    "occlusion": {"patch_size": 2},
    "rise": {"masks": 40},
    "kernel_shap": {"patch_size": 2, "coalitions": 100},
}
CELLS = [(name, method) for name, methods in DEFINED.items() for method in sorted(methods)]


@pytest.mark.parametrize(("name", "method"), CELLS)
def test_maps_depend_neither_on_batch_size_nor_on_the_other_images(
    family, draw_images, name, method
):
    x, y = draw_images(5).astype(np.uint8), np.arange(5)
    maps = explain(method, family(name), x, y, seed=3, **QUICK.get(method, {}))
    assert maps.shape == (5, 8, 8)
    assert maps.dtype == np.float32
    assert np.isfinite(maps).all()
    assert np.ptp(maps) > 0
    order = [3, 0, 4]
    few = explain(
        method, family(name, batch_size=6), x[order], y[order], seed=3, **QUICK.get(method, {})
    )
    # Float32 sums over other batches differ in their last digits.
    np.testing.assert_allclose(few, maps[order], rtol=1e-3, atol=1e-4 * np.abs(maps).max())


@pytest.mark.parametrize("method", sorted(EVERYWHERE))
def test_the_same_call_gives_the_same_bytes(family, draw_images, method):
    x, y = draw_images(3), np.arange(3)
    once, again = (explain(method, family("cnn"), x, y, **QUICK.get(method, {})) for _ in range(2))
    np.testing.assert_array_equal(once, again)
    as_bytes = explain(method, family("cnn"), x.astype(np.uint8), y, **QUICK.get(method, {}))
    np.testing.assert_array_equal(once, as_bytes)


@pytest.mark.parametrize("method", ["expected_gradients", "smoothgrad", "rise", "kernel_shap"])
def test_random_draws_depend_on_the_seed(family, draw_images, method):
    x, y = draw_images(1), np.array([0])
    maps = [
        explain(method, family("cnn"), x, y, seed=seed, **QUICK.get(method, {})) for seed in (0, 1)
    ]
    assert not np.allclose(*maps)


@pytest.mark.parametrize("name", DEFINED)
def test_a_method_that_is_not_defined_for_a_family_is_refused(family, draw_images, name):
    network = family(name)
    assert {m for m in METHODS if METHODS[m].is_defined_for(network)} == DEFINED[name]
    for method in METHODS.keys() - DEFINED[name]:
        with pytest.raises(GlassnetsError, match=f"{method}: expected a network with") as caught:
            explain(method, network, draw_images(1), np.array([0]))
        assert "\n" not in str(caught.value)
        assert ", ".join(network.activations) in str(caught.value)


def test_a_network_without_named_activations_has_the_methods_that_read_none(linear):
    network, _ = linear((8, 8))
    defined = {m for m in METHODS if METHODS[m].is_defined_for(network)}
    assert defined == EVERYWHERE - {"expected_gradients"}
    assert METHODS["expected_gradients"].need is Need.REFERENCES


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
    ("method", "options", "message"),
    [
        ("lime", {}, "method: expected one of gradient, .* got 'lime'"),
        ("gradient", {"steps": 3}, "gradient: steps: .*options: none"),
        ("integrated_gradients", {"step": 3}, "integrated_gradients: step: .*steps, reference"),
        ("integrated_gradients", {"steps": 0}, "steps: .*greater than 0.*got 0"),
        ("integrated_gradients", {"reference": 256.0}, "reference: .*less than or equal to 255"),
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
        if method.is_defined_for(family("cnn")):
            empty = method(family("cnn"), np.zeros((0, 8, 8), np.uint8), np.zeros(0, int))
            assert empty.shape == (0, 8, 8)


def test_networks_that_cannot_be_explained_are_refused(linear):
    import keras

    with pytest.raises(GlassnetsError, match=r"images \(n, h, w\) to logits"):
        Explained(keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()]))
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
    assert COMPLETE == ("integrated_gradients", "kernel_shap")
    assert SENSITIVITIES == ("gradient", "smoothgrad")
    assert CONTROLS == ("random_map", "edges", "image_itself")


def test_every_method_of_the_modules_is_known_by_its_name():
    for module in (gradients, perturbations, activations, controls):
        for name, member in vars(module).items():
            assert not isinstance(member, Method) or METHODS[name] is member


def test_requested_methods_are_those_that_are_defined_and_every_control(family, parameters):
    settings = parameters.dataset("digits").attribution
    methods = requested_methods(settings, family("lstm"))
    assert set(methods) == DEFINED["lstm"]
    assert list(methods) == [name for name in METHODS if name in methods]
    assert methods["smoothgrad"] == settings.methods.smoothgrad
    assert methods["edges"] is None
    none = settings.methods.model_copy(
        update=dict.fromkeys(DEFINED["lstm"] - {"temporal_saliency_rescaling"})
    )
    only = settings.model_copy(update={"methods": none})
    assert set(requested_methods(only, family("lstm"))) == {
        "temporal_saliency_rescaling",
        *CONTROLS,
    }
    with pytest.raises(ParameterError, match=r"attribution\.methods: expected at least one"):
        requested_methods(only, family("feedforward"))


def test_every_method_names_its_source():
    for name, method in METHODS.items():
        assert method.__doc__
        if name not in ("random_map", "image_itself"):
            assert any(
                f"({year})" in method.__doc__ or f" {year})" in method.__doc__
                for year in range(1968, 2027)
            ), name
