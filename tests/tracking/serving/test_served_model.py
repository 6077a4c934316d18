"""What the served model takes for images, and what it refuses."""

import math

import numpy as np
import pandas as pd
import pytest
from mlflow.types import DataType, ParamSchema, ParamSpec

from glassnets.errors import GlassnetsError
from glassnets.tracking.served_inputs import MAX_IMAGES, levels
from glassnets.tracking.served_model import _refuse_unknown

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 8, 8), dtype=np.uint8)
IMAGES[0, 0, :2] = 0, 255


@pytest.mark.parametrize(
    "given",
    [IMAGES, IMAGES.astype(float), IMAGES.tolist(), IMAGES.astype(np.int64)],
    ids=["uint8", "float", "list", "int64"],
)
def test_whole_levels_of_any_type_are_taken(given):
    taken = levels(given, (8, 8))
    assert taken.dtype == np.uint8
    assert np.array_equal(taken, IMAGES)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        (IMAGES / 255, "got fractions: do not scale them"),
        (IMAGES.astype(int) - 1, "got -1 to 254"),
        (IMAGES.astype(int) + 1, "got 1 to 256"),
        (np.where(IMAGES > 99, math.nan, IMAGES), "got nan"),
        (np.where(IMAGES > 99, math.inf, IMAGES), "got 0 to inf"),
        (IMAGES[0], "got an array (8, 8)"),
        (IMAGES[:, :7], "got an array (3, 7, 8)"),
        (IMAGES[:0], "got 0"),
        (np.zeros((MAX_IMAGES + 1, 8, 8)), f"expected 1 to {MAX_IMAGES} images"),
        (IMAGES > 99, "values of another kind (bool)"),
        (IMAGES.astype(str), "values of another kind"),
        (pd.DataFrame(IMAGES[0]), "got DataFrame"),
        ({"images": IMAGES}, "got dict"),
        (None, "got NoneType"),
    ],
)
def test_what_is_no_image_is_refused(given, message):
    with pytest.raises(GlassnetsError) as refused:
        levels(given, (8, 8))
    assert message in str(refused.value)
    assert str(refused.value).startswith("inputs: expected ")


def test_parameters_of_a_persons_other_models_are_left_to_mlflow():
    """The check is MLflow's for every model that is loaded in the process."""
    other = ParamSchema([ParamSpec("temperature", DataType.double, 0.5)])
    assert _refuse_unknown({"tone": "warm"}, other) == {"temperature": 0.5}
    assert _refuse_unknown({"tone": "warm"}, None) == {}
