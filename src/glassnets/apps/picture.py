"""A picture of a person's own, of any size and colour, as an image of a dataset."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

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
_UNEVEN = 16  # of 255: from here on, that the paper's brightness varies is said
_LUMA = np.array([0.299, 0.587, 0.114])  # of red, green and blue, as bright as the eye has them
_COLOURED = 0.2  # of a difference in colour: below it, ink is about as bright as the paper
_FITTED, _ITERATIONS = 4000, 12  # pixels that the paper is fitted to, at most; and how often


class Layout(NamedTuple):
    """How a dataset's images were made of handwriting: the longer side of the ink in pixels, and
    whether it is centred by its mass or its box. pen: its width, of the length that a stroke's
    middle spans. margin: of a drawing's likeness, see `likeness.Likeness`; pen and margin are such
    that upright digits drawn with the mouse are like the training images."""

    box: int
    centred_by: str
    pen: float
    margin: float


# Of a dataset that is not here, pictures must have the size. MNIST: LeCun, Bottou, Bengio & Haffner
# (1998), "Gradient-based learning applied to document recognition", §III.A. digits: Alpaydin &
# Kaynak (1998), where the ink fills the height.
LAYOUTS = {"mnist": Layout(20, "mass", 0.13, 1), "digits": Layout(8, "box", 0.25, 1.5)}


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
    dataset's images. invert: whether to invert the picture; None: as its ink and paper say.

    Raises ParameterError for another size where the dataset has no layout, GlassnetsError for
    content that is broken, too large or blank.
    """
    upright, steps = decoded(content, name)
    if (upright.height, upright.width) == shape:
        grey = _grey(upright, name, steps)
        grey, read = _light_on_dark(grey, invert)
        taken = f"{_size(shape)} pixels, the size of {dataset}: taken as it is"
        return Picture(np.rint(grey).astype(np.uint8), (*steps, read, taken))
    if dataset not in LAYOUTS:
        raise ParameterError(
            f"{name}: expected a picture of the size of {dataset}, {_size(shape)} pixels, "
            f"got {_size((upright.height, upright.width))}"
        )
    box, centred_by, *_ = LAYOUTS[dataset]
    fitted = (
        f"the ink fitted into {_size((box, box))} pixels, its aspect kept, and centred by its "
        f"{centred_by} in {_size(shape)}, as in {dataset}"
    )
    ink, how = _ink(upright, name, invert, steps)
    pixels = _centred(_fitted(ink, box), shape, centred_by)
    return Picture(pixels, (*steps, *how, fitted))


def _size(shape: tuple[int, ...]) -> str:
    """Width × height."""
    return f"{shape[1]}×{shape[0]}"


# From a picture of the own size to grey


def _grey(image: Image.Image, name: str, steps: list[str]) -> Grey:
    """Brightness float32 (h, w), 0…255; adds to the steps."""
    pixels = _on_paper(image, steps)
    grey = np.asarray(Image.fromarray(pixels).convert("L"), np.float32)
    if (contrast := np.ptp(grey)) < _MIN_CONTRAST:
        raise _blank(name, f"its brightness varies by {contrast:.0f} of 255")
    return grey


def _blank(name: str, by: str) -> GlassnetsError:
    return GlassnetsError(
        f"{name}: expected ink on paper, got a blank picture: {by}, less than {_MIN_CONTRAST}"
    )


def _on_paper(image: Image.Image, steps: list[str]) -> Bytes:
    """Red, green and blue (h, w, 3); where it is transparent, of the paper, black or white, from
    which the ink differs more."""
    if image.has_transparency_data:
        both = np.asarray(image.convert("RGBA"), np.float32)
        colours, opacity = both[..., :3], both[..., 3:] / np.float32(255)
        if opacity.min() < 1:
            light = (colours * opacity).sum() > 127.5 * 3 * opacity.sum()
            steps.append(f"transparent parts read as {'black' if light else 'white'} paper")
            whole = colours * opacity + np.float32(0 if light else 255) * (1 - opacity)
            blended: Bytes = np.rint(whole).astype(np.uint8)
            return blended
    return np.asarray(image.convert("RGB"))


def _light_on_dark(grey: Grey, invert: bool | None) -> tuple[Grey, str]:
    """Brightness (h, w) of light ink on dark paper, and in words whether it was inverted."""
    if invert is None:
        paper = np.median(grey[_border(grey.shape)])
        invert = bool(paper - grey.min() > grey.max() - paper)
        return 255 - grey if invert else grey, _read_as(invert)
    return 255 - grey if invert else grey, _as_requested(invert)


def _read_as(dark: bool) -> str:
    return f"read as {'dark on light: inverted' if dark else 'light on dark: not inverted'}"


def _as_requested(invert: bool) -> str:
    return f"{'inverted' if invert else 'not inverted'}, as requested"


def _border(shape: tuple[int, ...]) -> NDArray[np.bool_]:
    """Where (h, w) the border is, a twentieth of the picture wide."""
    height, width = shape
    wide = max(1, min(height, width) // 20)
    border = np.ones((height, width), bool)
    border[wide : height - wide, wide : width - wide] = False
    return border


# From a picture of another size to ink


def _ink(
    image: Image.Image, name: str, invert: bool | None, steps: list[str]
) -> tuple[Grey, list[str]]:
    """How much of each pixel is ink, 0…1, in the smallest part (h, w) that holds all ink; the
    steps to it, in words.

    Ink is what differs from the paper in the direction, of brightness or colour, in which the
    pixels that differ most do; where it is requested whether to invert, in brightness. From the
    paper to the pixel that differs most, the first tenth counts as paper and the last as ink;
    pixels beyond the middle decide where the part ends.
    """
    reduced = image.convert("RGBA" if image.has_transparency_data else "RGB")
    reduced.thumbnail((_MAX_SIDE, _MAX_SIDE))
    pixels = _on_paper(reduced, steps).astype(np.float32)
    paper = _paper(pixels)
    how = []
    if (uneven := np.ptp(paper.mean(axis=2))) >= _UNEVEN:
        how = [f"the paper's own brightness, which varies by {uneven:.0f} of 255, subtracted"]
    differences = pixels - paper
    # The root of the mean square over colours: of greys the difference of their levels.
    distance = np.sqrt(np.square(differences).mean(axis=2))
    if (most := distance.max()) < _MIN_CONTRAST:
        raise _blank(name, f"it differs from the paper by {most:.0f} of 255 at most")
    if invert is None:
        far = distance >= most / 2
        direction = (differences[far] * distance[far, np.newaxis]).sum(axis=0)
        if not (length := np.linalg.norm(direction)):  # as much ink lighter as darker
            direction, length = np.ones(3, np.float32), np.sqrt(3)
        direction = direction / length
        brightness = direction @ _LUMA * np.sqrt(3)  # −1 of black ink, 1 of white
        dark = bool(brightness < -_COLOURED)
        read = _read_as(dark)
        if abs(brightness) < _COLOURED:
            read = "read as ink of another colour than the paper, as bright as it"
    else:
        dark, direction = invert, np.full(3, (-1 if invert else 1) / np.sqrt(3))
        read = _as_requested(invert)
    levels: Grey = (differences @ direction / np.sqrt(3)).astype(np.float32)
    if dark:  # ink on paper takes away a share of the light that falls there
        light = paper.mean(axis=2)
        levels *= light.max() / np.maximum(light, _MIN_CONTRAST)
    if levels.max() < _MIN_CONTRAST:
        raise GlassnetsError(
            "expected ink lighter than the paper at the border, got none: keep the border clear, "
            "or leave --invert and --no-invert away"
        )
    share = levels / levels.max()
    rows, columns = (np.flatnonzero((share >= 0.5).any(axis=axis)) for axis in (1, 0))
    part = share[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    ink: Grey = np.clip((part - 0.1) / 0.8, 0, 1)
    return ink, [read, *how]


def _paper(pixels: Grey) -> Grey:
    """What the paper under the ink looks like (h, w, 3): of each colour a plane fitted to the
    border, then, as light falls off unevenly, a paraboloid fitted to all that is nearer to this
    plane than to the ink."""
    height, width, _ = pixels.shape
    down, across = np.meshgrid(np.linspace(-1, 1, height), np.linspace(-1, 1, width), indexing="ij")
    terms = np.stack([np.ones_like(down), down, across, down * across, down**2, across**2], axis=-1)
    plane = terms[..., :3] @ _fit(terms[..., :3], pixels, _border((height, width)))
    distance = np.abs(pixels - plane).max(axis=2)
    near = distance <= max(distance.max() / 2, 1)
    paper: Grey = (terms @ _fit(terms, pixels, near)).clip(0, 255).astype(np.float32)
    return paper


def _fit(terms: NDArray[np.float64], pixels: Grey, where: NDArray[np.bool_]) -> NDArray[Any]:
    """Coefficients (terms, 3) of least absolute deviations, which a minority of other pixels
    hardly moves, by iteratively reweighted least squares (Schlossmacher 1973)."""
    x, y = terms[where], pixels[where].astype(np.float64)
    step = -(-len(x) // _FITTED)
    x, y = x[::step], y[::step]
    coefficients = np.zeros((x.shape[1], y.shape[1]))
    coefficients[0] = np.median(y, axis=0)
    for _ in range(_ITERATIONS):
        off = np.linalg.norm(y - x @ coefficients, axis=1)
        weights = 1 / np.sqrt(np.maximum(off, 1))[:, np.newaxis]
        before, coefficients = coefficients, np.linalg.lstsq(x * weights, y * weights)[0]
        if np.abs(coefficients - before).max() < 0.01:
            break
    return coefficients


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
