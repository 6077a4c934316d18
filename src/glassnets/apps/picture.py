"""A picture of a person's own, of any size and colour, as an image of a dataset."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from glassnets.config.schema import Shape
from glassnets.data.pictures import check_size, decoded, printable
from glassnets.errors import GlassnetsError, ParameterError

Bytes = NDArray[np.uint8]
Grey = NDArray[np.float32]

_MAX_SIDE = 1024  # pixels, to which larger pictures are reduced: enough for the ink, and less noise
_MIN_CONTRAST = 32  # of 255: below it, a picture is blank

# How a dataset's images were made of handwriting: the longer side of the ink in pixels, and whether
# it is centred by its mass or its box. Of a dataset that is not here, pictures must have the size.
# MNIST: LeCun, Bottou, Bengio & Haffner (1998), "Gradient-based learning applied to document
# recognition", §III.A. digits: Alpaydin & Kaynak (1998), where the ink fills the height.
LAYOUTS = {"mnist": (20, "mass"), "digits": (8, "box")}


@dataclass(frozen=True)
class Picture:
    """pixels uint8 (h, w), the network's input, and in words the steps that led to it."""

    pixels: Bytes
    steps: tuple[str, ...]


def contents(path: Path) -> tuple[bytes, str]:
    """The bytes of a picture file, and what error messages call it. Raises ParameterError for a
    path that is no file (reading a pipe might never end), GlassnetsError for an empty or too large
    one."""
    name = printable(path)
    if not path.is_file():
        came = "a folder" if path.is_dir() else "something else" if path.exists() else "none"
        raise ParameterError(f"FILE: expected a picture file {name}, got {came}")
    check_size(name, path.stat().st_size)
    return path.read_bytes(), name


def fit(
    content: bytes, name: str, dataset: str, shape: Shape, invert: bool | None = None
) -> Picture:
    """The picture as an image of this dataset, light on dark.

    A picture of the dataset's own size is taken as it is; in any other the ink is found, fitted
    and centred as the dataset's images were.

    content: the bytes of a file of FORMATS. name: what error messages call it. shape: (h, w) of the
    dataset's images. invert: whether to invert the picture; None: if its border is nearer to its
    brightest than to its darkest pixel.

    Raises ParameterError for another size where the dataset has no layout, GlassnetsError for
    content that is broken, too large or blank.
    """
    grey, steps = _grey(content, name)
    own_size = grey.shape == shape
    if not own_size and dataset not in LAYOUTS:
        raise ParameterError(
            f"{name}: expected a picture of the size of {dataset}, {_size(shape)} pixels, "
            f"got {_size(grey.shape)}"
        )
    grey, how = _light_on_dark(grey, invert)
    if own_size:
        taken = f"{_size(shape)} pixels, the size of {dataset}: taken as it is"
        return Picture(np.rint(grey).astype(np.uint8), (*steps, how, taken))
    box, centred_by = LAYOUTS[dataset]
    fitted = (
        f"the ink fitted into {_size((box, box))} pixels, its aspect kept, and centred by its "
        f"{centred_by} in {_size(shape)}, as in {dataset}"
    )
    pixels = _centred(_fitted(_ink(grey), box), shape, centred_by)
    return Picture(pixels, (*steps, how, fitted))


def _size(shape: tuple[int, ...]) -> str:
    """Width × height."""
    return f"{shape[1]}×{shape[0]}"


# From a file to grey


def _grey(content: bytes, name: str) -> tuple[Grey, list[str]]:
    """Brightness float32 (h, w), 0…255, of at most _MAX_SIDE pixels a side; the steps."""
    upright, steps = decoded(content, name)
    image = _brightness(upright)
    image.thumbnail((_MAX_SIDE, _MAX_SIDE))
    grey = np.asarray(image, np.float32)
    if image.mode == "LA":
        grey, paper = _on_paper(grey)
        steps.append(f"transparent parts read as {paper} paper")
    if (contrast := np.ptp(grey)) < _MIN_CONTRAST:
        raise GlassnetsError(
            f"{name}: expected ink on paper, got a blank picture: its brightness "
            f"varies by {contrast:.0f} of 255, less than {_MIN_CONTRAST}"
        )
    return grey, steps


def _brightness(image: Image.Image) -> Image.Image:
    """The picture in mode L, or LA if some of it is transparent."""
    if image.has_transparency_data:
        both = image.convert("RGBA").convert("LA")
        if both.getextrema()[1] != (255, 255):
            return both
    return image.convert("L")


def _on_paper(values: Grey) -> tuple[Grey, str]:
    """Brightness (h, w) of brightness and opacity (h, w, 2), on the paper, black or white, from
    which the ink differs more."""
    grey, opacity = values[..., 0], values[..., 1] / np.float32(255)
    light = (grey * opacity).sum() > 127.5 * opacity.sum()
    paper = np.float32(0 if light else 255) * (1 - opacity)
    return grey * opacity + paper, "black" if light else "white"


# From grey to ink


def _light_on_dark(grey: Grey, invert: bool | None) -> tuple[Grey, str]:
    """Brightness (h, w) of light ink on dark paper, and in words whether it was inverted."""
    if invert is None:
        paper = _paper(grey)
        invert = bool(paper - grey.min() > grey.max() - paper)
        how = f"read as {'dark on light: inverted' if invert else 'light on dark: not inverted'}"
    else:
        how = f"{'inverted' if invert else 'not inverted'}, as requested"
    return 255 - grey if invert else grey, how


def _paper(grey: Grey) -> Any:
    """The median brightness of the border, a twentieth of the picture wide."""
    height, width = grey.shape
    wide = max(1, min(height, width) // 20)
    inside = np.zeros(grey.shape, bool)
    inside[wide : height - wide, wide : width - wide] = True
    return np.median(grey[~inside])


def _ink(grey: Grey) -> Grey:
    """How much of each pixel is ink, 0…1, in the smallest part (h, w) that holds all ink.

    From the paper's brightness to the brightest pixel's, the first tenth counts as paper and the
    last as ink; pixels beyond the middle decide where the part ends.
    """
    paper = _paper(grey)
    if grey.max() - paper < _MIN_CONTRAST:
        raise GlassnetsError(
            "expected ink lighter than the paper at the border, got none: keep the border clear, "
            "or leave --invert and --no-invert away"
        )
    share = (grey - paper) / (grey.max() - paper)
    rows, columns = (np.flatnonzero((share >= 0.5).any(axis=axis)) for axis in (1, 0))
    part = share[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    ink: Grey = np.clip((part - 0.1) / 0.8, 0, 1)
    return ink


def _fitted(ink: Grey, box: int) -> Grey:
    """Ink resized so that its longer side is ``box`` pixels, by means where that reduces it."""
    scale = box / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    means = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(ink).resize((width, height), means))


def _centred(ink: Grey, shape: Shape, centred_by: str) -> Bytes:
    """The ink in the middle of an image of this shape, its brightest pixel at 255."""
    starts = []
    for axis, (side, extent) in enumerate(zip(shape, ink.shape, strict=True)):
        if centred_by == "mass":
            centre = np.average(np.arange(extent), weights=ink.sum(axis=1 - axis))
            starts.append(min(max(round(side // 2 - centre), 0), side - extent))
        else:
            starts.append((side - extent) // 2)
    top, left = starts
    image = np.zeros(shape, np.uint8)
    image[top : top + ink.shape[0], left : left + ink.shape[1]] = np.rint(255 * ink / ink.max())
    return image
