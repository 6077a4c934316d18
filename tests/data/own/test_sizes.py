"""What the size of data decides: parts, batches, epochs, patches."""

import pytest

from glassnets.data.own import sizes
from glassnets.models.families import attention


@pytest.mark.parametrize(
    ("train", "batch_size", "epochs"),
    [(100, 16, 51), (1150, 32, 30), (14_400, 64, 17), (56_000, 128, 17), (900_000, 128, 10)],
)
def test_batches_and_epochs_are_near_those_of_the_projects_recipes(train, batch_size, epochs):
    group = sizes.of_parts("image", train, 50)
    assert group["training"] == {"batch_size": batch_size, "epochs": epochs}


def test_no_more_is_explained_or_memorised_than_there_is():
    group = sizes.of_parts("table", 113, 36)
    assert group["sample"] == {"images": 36}
    assert group["memorise"] == {"images": 113}
    group = sizes.of_parts("image", 10_000, 2000)
    assert group["sample"] == {"images": 40}
    assert group["memorise"] == {"images": 100}
    group = sizes.of_parts("series", 10_000, 2000)
    assert (group["sample"], group["memorise"]) == ({"images": 40}, {"images": 100})


def test_a_small_validation_part_is_enlarged():
    assert sizes.of_rows(178, 3) == {"validation_size": 0.2}
    assert sizes.of_rows(5000, 3) == {}
    assert sizes.of_rows(5000, 255) == {"validation_size": 0.2}


@pytest.mark.parametrize("kind", ["image", "series"])
@pytest.mark.parametrize("side", [4, 5, 8, 13, 28, 32, 61, 97, 100, 224, 1000])
def test_patches_of_attention_tile(kind, side):
    for shape in ((side, side), (side, side + 12)) if kind == "image" else ((1, side),):
        shape = sizes.tiled(shape) if kind == "image" else shape
        patch_size, stride = sizes.tokens(shape)
        network = attention.PRESETS["article"].model_copy(
            update={"patch_size": patch_size, "stride": stride}
        )
        assert network.problem(shape) is None
        assert sizes.are_tiled(shape)
        assert stride <= patch_size < 2 * stride


@pytest.mark.parametrize("shape", [(28, 28), (8, 8), (64, 64), (37, 37)])
def test_sides_that_patches_tile_are_kept(shape):
    assert sizes.tiled(shape) == shape


def test_sides_that_they_do_not_tile_become_near_ones():
    assert sizes.tiled((61, 64)) == (64, 64)


def test_patches_fit_and_are_told_apart():
    assert "attribution" not in sizes.of_shape("image", (20, 24))
    shap = {"attribution": {"methods": {"kernel_shap": {"coalitions": 147}}}}  # 3 for each of 7×7
    assert sizes.of_shape("image", (28, 28)).items() >= shap.items()
    small = sizes.of_shape("image", (8, 8))
    assert small["additive"] == {"patch_size": 2}
    assert small["attribution"]["methods"]["occlusion"] == {"patch_size": 2, "stride": 1}
    assert sizes.of_shape("table", (1, 13)) == {}
    wide = sizes.of_shape("table", (1, 500))
    assert wide == {"attribution": {"methods": {"kernel_shap": {"coalitions": 1500}}}}
    assert sizes.of_shape("series", (1, 128))["attention"]["network"]["patch_size"] == 4
