"""Datasets: their sources, their splits, and the sample of test images that is explained."""

from typing import Any

from numpy.typing import NDArray

Arrays = dict[str, NDArray[Any]]  # by name, equally long, a row an image
