"""Our maps against Xplique's and SHAP's, on the trained networks of digits, in all families.

Where the implementations differ, and why. Each test removes the difference on one side and holds
the rest to a tolerance, in parts of the largest pixel of the map.

gradient: signed; Xplique's Saliency is absolute. Every map here is for or against the class.

integrated gradients: at the midpoints of the steps; Xplique's by trapezoids, both ends included.
The same limit, to which both come within 0.002 in 1000 steps (where the network has kinks, ReLU,
they come slowly), but for as many gradients the error of midpoints is half as large.

References are named here, and averaged over where they are draws; the other libraries take a number
or, SHAP, background images. A mean image of one grey level is that number.

expected gradients (integrated gradients with draws for a reference): one α from each of equal parts
of 0…1, and the same draws for all images; SHAP's α is uniform, with new draws for each image. Less
variance, and no map depends on the other images. SmoothGrad: the same draws for all images,
Xplique's are new for each. Both are held statistically.

occlusion: the mean over the patches that cover a pixel; Xplique's is the sum, in which the middle
of an image counts for more because more patches cover it. Our last patch ends with the image;
Xplique leaves the rest of a stride uncovered.

RISE: a place of its own for each mask, as in the paper; Xplique cuts all masks of a batch at one
place, so that their cells' borders stay where they are, and adds 0.0001 to the masks' sum. Ours
subtracts the mean over the masks, so that a constant added to the logit moves no map: it is theirs
less one number an image. Held twice: exactly with the same masks, and by correlation with its own.

KernelSHAP: the values sum to f(x) − f(reference), as Shapley's do, and a patch's is spread over its
pixels; Xplique solves the least squares with a free sum and a free constant, which adds the same
number to all players, and gives every pixel the whole value. SHAP's KernelExplainer agrees, with
one reference and with draws for a background. `kernel_shap_shifted`, a mean over grids, is in
neither.

Grad-CAM: enlarged bilinearly; Xplique's bicubically, which overshoots: below zero after a ReLU.

Grad-CAM++: the sums of the paper's equations 10 and 19; Xplique takes means, and the one in the
denominator of α changes the map, not only its scale.

SHAP's DeepExplainer is not here: we have no DeepLIFT, and it fails on recurrent and attention
networks. GradientExplainer and KernelExplainer, the two that are, leave the process as it was.
"""

import functools

import numpy as np
import pytest
import tensorflow as tf

from glassnets.attribution.methods import explain, perturbations
from glassnets.attribution.references import fills


def test_gradient(trained, assert_close):
    from xplique.attributions import Saliency

    ours = explain("gradient", trained.network, trained.images, trained.targets)
    theirs = Saliency(trained.model)(trained.columns, trained.one_hot)
    assert_close(np.abs(ours), theirs, 1e-5)


def test_gradient_x_input(trained, assert_close):
    from xplique.attributions import GradientInput

    ours = explain("gradient_x_input", trained.network, trained.images, trained.targets)
    theirs = GradientInput(trained.model)(trained.columns, trained.one_hot)
    assert_close(ours, theirs, 1e-5)


@pytest.mark.parametrize("level", [0, 100])
def test_integrated_gradients(trained, assert_close, grey, level):
    from xplique.attributions import IntegratedGradients

    ours = explain(
        "integrated_gradients:mean",
        grey(trained.network, level),
        trained.images,
        trained.targets,
        steps=1000,
    )
    explainer = IntegratedGradients(
        trained.model, batch_size=1000, steps=1000, baseline_value=level
    )
    assert_close(ours, explainer(trained.columns, trained.one_hot), 0.002)


def test_expected_gradients(trained):
    import shap

    ours = explain(
        "integrated_gradients:draws",
        trained.network,
        trained.images,
        trained.targets,
        steps=1000,
    )
    explainer = shap.GradientExplainer(
        trained.network.model, trained.network.references.astype(np.float32), batch_size=1000
    )
    theirs, _ = explainer.shap_values(
        trained.images,
        nsamples=1000,
        ranked_outputs=trained.targets[:, np.newaxis],
        output_rank_order="custom",
        rseed=0,
    )
    assert relative_distance(ours, theirs[..., 0]) <= 0.15


def test_smoothgrad(trained):
    from xplique.attributions import SmoothGrad

    ours = explain(
        "smoothgrad", trained.network, trained.images, trained.targets, draws=1000, noise=0.15
    )
    explainer = SmoothGrad(trained.model, batch_size=1000, nb_samples=1000, noise=0.15 * 255)
    assert relative_distance(ours, explainer(trained.columns, trained.one_hot)) <= 0.15


@pytest.mark.parametrize(("patch", "stride"), [(2, 1), (4, 2)])
def test_occlusion(trained, assert_close, grey, patch, stride):
    from xplique.attributions import Occlusion

    ours = explain(
        "occlusion:mean",
        grey(trained.network, 50),
        trained.images,
        trained.targets,
        patch_size=patch,
        stride=stride,
    )
    explainer = Occlusion(
        trained.model, patch_size=patch, patch_stride=stride, occlusion_value=50.0
    )
    covering = perturbations.windows(trained.network.image_shape, patch, stride).sum(axis=0)
    assert_close(ours * covering, explainer(trained.columns, trained.one_hot), 1e-5)


def test_rise_with_the_same_masks(trained, assert_close, grey, monkeypatch):
    from xplique.attributions import Rise

    rng = np.random.default_rng(0)
    cells = rng.random((500, 4, 4)) < 0.5
    masks = perturbations.enlarged(cells, rng.integers(2, size=(500, 2)), (8, 8))

    def shown(image, batch, value):
        return batch * image + (1 - batch) * value, batch

    monkeypatch.setattr(Rise, "_get_masks", lambda *_: masks[..., np.newaxis])
    monkeypatch.setattr(Rise, "_apply_masks", shown)
    monkeypatch.setattr(Rise, "EPSILON", 0)
    ours = explain(
        "rise:mean",
        grey(trained.network, 50),
        trained.images,
        trained.targets,
        masks=500,
        grid=4,
        seed=0,
    )
    explainer = Rise(trained.model, mask_value=50.0)
    theirs = np.asarray(explainer(trained.columns, trained.one_hot)).reshape(ours.shape)
    centred, theirs_centred = (m - m.mean(axis=(1, 2), keepdims=True) for m in (ours, theirs))
    assert_close(centred, theirs_centred, 1e-4)


def test_rise_with_their_own_masks(trained):
    """The same up to the draws: what a pixel adds to the mean."""
    from xplique.attributions import Rise

    ours = explain("rise", trained.network, trained.images, trained.targets, masks=2000, grid=4)
    explainer = Rise(trained.model, nb_samples=2000, grid_size=4, batch_size=80)
    theirs = np.asarray(explainer(trained.columns, trained.one_hot)).reshape(ours.shape)
    each = [np.corrcoef(a.ravel(), b.ravel())[0, 1] for a, b in zip(ours, theirs, strict=True)]
    assert np.min(each) >= 0.9


@pytest.mark.parametrize("patch", [3, 4])  # 9 or 4 players
def test_kernel_shap_against_xplique(trained, assert_close, patch):
    from xplique.attributions import KernelShap

    network = trained.network
    patches = perturbations.grid_of_patches(network.image_shape, patch)
    members, weights = perturbations.coalitions(int(patches.max()) + 1, 2000, 0)
    explainer = KernelShap(
        trained.model,
        batch_size=len(members),
        map_to_interpret_space=lambda _: tf.constant(patches, tf.int32),
        nb_samples=len(members),
    )
    # All coalitions, each with the kernel's weight, where it would draw them.
    explainer.pertub_func = lambda *_: tf.constant(members, tf.int32)
    explainer.similarity_kernel = lambda *_: tf.constant(weights, tf.float32)
    theirs = np.asarray(explainer(trained.columns, trained.one_hot))
    ours = explain(
        "kernel_shap",
        network,
        trained.images,
        trained.targets,
        patch_size=patch,
        coalitions=2000,
    )
    values = functools.partial(values_of_patches, patches)
    shapley = values(ours) * np.bincount(patches.ravel())
    free = values(theirs.reshape(ours.shape))
    centred, theirs_centred = (v - v.mean(axis=1, keepdims=True) for v in (shapley, free))
    assert_close(centred[:, np.newaxis], theirs_centred, 1e-5)


@pytest.mark.parametrize("reference", ["black", "draws"])
def test_kernel_shap_against_shap(trained, assert_close, reference):
    import shap

    network = trained.network
    fill = fills(network, trained.images, reference, 3, 0)[0]  # (draws or 1, h, w)
    patches = perturbations.grid_of_patches(network.image_shape, 3)
    ours = explain(
        f"kernel_shap:{reference}",
        network,
        trained.images,
        trained.targets,
        patch_size=3,
        coalitions=2000,
        draws=3,
    )
    shapley = values_of_patches(patches, ours) * np.bincount(patches.ravel())
    theirs = []
    for image, target in zip(trained.images, trained.targets, strict=True):

        def worth(coalitions, image=image, target=target):
            shown = coalitions[:, patches]
            points = [(shown * image + (1 - shown) * own).astype(np.float32) for own in fill]
            return np.mean([network.outputs(each)[:, target] for each in points], axis=0)

        explainer = shap.KernelExplainer(worth, np.zeros((1, 9)), silent=True)
        theirs.append(explainer.shap_values(np.ones((1, 9)), nsamples=2000, l1_reg=False)[0])
    assert_close(shapley[:, np.newaxis], theirs, 1e-5)


@pytest.mark.parametrize("method", ["grad_cam", "grad_cam_plus_plus"])
@pytest.mark.parametrize("block", [0, 1])
def test_class_activation_maps(trained_cnn, assert_close, monkeypatch, method, block):
    from xplique.attributions import GradCAM, GradCAMPP, grad_cam_pp

    class WithSums:
        reduce_mean = staticmethod(tf.reduce_sum)

        def __getattr__(self, name):
            return getattr(tf, name)

    monkeypatch.setattr(tf.image.ResizeMethod, "BICUBIC", tf.image.ResizeMethod.BILINEAR)
    monkeypatch.setattr(grad_cam_pp, "tf", WithSums())
    network = trained_cnn.network
    # From where the images have a channel, for the layer is found by its name in one model alone.
    from_columns = tf.keras.Model(network.model.get_layer("channel").output, network.model.output)
    cam = {"grad_cam": GradCAM, "grad_cam_plus_plus": GradCAMPP}[method]
    explainer = cam(from_columns, conv_layer=f"relu_{block}_0")
    theirs = explainer(trained_cnn.columns / np.float32(255), trained_cnn.one_hot)
    ours = explain(method, network, trained_cnn.images, trained_cnn.targets, layer=f"block_{block}")
    assert_close(ours, theirs, 1e-5)


def values_of_patches(patches, maps):
    """The pixels' mean in each patch: (n, patches)."""
    _, first = np.unique(patches, return_index=True)
    values = maps.reshape(len(maps), -1)[:, first]
    np.testing.assert_array_equal(values[:, patches], maps)
    return values


def relative_distance(ours, theirs):
    """‖ours − theirs‖/‖theirs‖ of the worst image."""
    theirs = np.asarray(theirs).reshape(len(ours), -1)
    difference = np.linalg.norm(ours.reshape(len(ours), -1) - theirs, axis=1)
    return (difference / np.linalg.norm(theirs, axis=1)).max()
