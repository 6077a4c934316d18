"""A picture of a person's own, of any size and colour, as an image of a dataset."""

import io
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from glassnets.errors import GlassnetsError, ParameterError
from glassnets.params import Shape

Bytes = NDArray[np.uint8]
Grey = NDArray[np.float32]

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
MOST_BYTES = 100_000_000
MOST_PIXELS = 64_000_000
_LARGE = 1024  # pixels a side: no more are needed to find the ink, and fewer bear less noise
_FAINT = 32  # of 255: a picture of less contrast is blank paper


@dataclass(frozen=True)
class Layout:
    """How a dataset's images were made of what was written."""

    box: int  # the longer side of what is written, in pixels
    centred_by: str  # mass, or box


# MNIST: LeCun, Bottou, Bengio & Haffner (1998), "Gradient-based learning applied to document
# recognition", §III.A. digits: Alpaydin & Kaynak (1998) let what is written fill the height.
# Of a dataset that has none, only images of its own size can be explained.
LAYOUTS = {"mnist": Layout(box=20, centred_by="mass"), "digits": Layout(box=8, centred_by="box")}


@dataclass(frozen=True)
class Picture:
    """image uint8 (h, w), as the network sees it, and in words what was done to the picture."""

    image: Bytes
    done: tuple[str, ...]


def read(path: Path, dataset: str, shape: Shape, invert: bool | None = None) -> Picture:
    """The picture in a file as an image of this dataset, as `fit` does it.

    Raises ParameterError for a path that is no file, and what `fit` raises.
    """
    return fit(_content(path), shown(path), dataset, shape, invert)


def fit(
    content: bytes, name: str, dataset: str, shape: Shape, invert: bool | None = None
) -> Picture:
    """The picture as an image of this dataset, of this shape (height, width), light on dark.

    content is a file of FORMATS, name what to call it where it is refused. A picture of this very
    size is taken as it is. Of any other, what is written is found, fitted and centred as the
    dataset's own images were. It is inverted if its border is nearer to its brightest than to its
    darkest pixel; ``invert`` says so instead where it is not None.

    Raises ParameterError for a size that cannot be, GlassnetsError for content that is broken, too
    large or blank.
    """
    grey, done = _grey(content, name)
    own_size = grey.shape == shape
    if not own_size and dataset not in LAYOUTS:
        raise ParameterError(
            f"{name}: expected a picture of the size of {dataset}, {_size(shape)} pixels, "
            f"got {_size(grey.shape)}"
        )
    grey, how = _light_on_dark(grey, invert)
    if own_size:
        done += [how, f"{_size(shape)} pixels, the size of {dataset}: taken as it is"]
        return Picture(np.rint(grey).astype(np.uint8), tuple(done))
    layout = LAYOUTS[dataset]
    image = _centred(_fitted(_ink(grey), layout.box), shape, layout)
    done += [
        how,
        f"the ink fitted into {_size((layout.box, layout.box))} pixels, its aspect kept, and "
        f"centred by its {layout.centred_by} in {_size(shape)}, as in {dataset}",
    ]
    return Picture(image, tuple(done))


def _size(shape: tuple[int, ...]) -> str:
    """Width × height, as one speaks of pictures."""
    return f"{shape[1]}×{shape[0]}"


def shown(path: Path) -> str:
    """A path in one printable line."""
    return str(path) if str(path).isprintable() else repr(str(path))


# From a file to grey


def _content(path: Path) -> bytes:
    if not path.is_file():  # a pipe or a device would be waited for without end
        came = "a folder" if path.is_dir() else "something else" if path.exists() else "none"
        raise ParameterError(f"IMAGE: expected a picture file {shown(path)}, got {came}")
    bytes_ = path.stat().st_size
    if not 0 < bytes_ <= MOST_BYTES:
        raise GlassnetsError(
            f"{shown(path)}: expected a picture of 1 byte to {MOST_BYTES / 1e6:.0f} MB, "
            f"got {'an empty file' if bytes_ == 0 else f'{bytes_ / 1e6:.0f} MB'}"
        )
    return path.read_bytes()


def _grey(content: bytes, name: str) -> tuple[Grey, list[str]]:
    """Brightness float32 (h, w), 0…255, of at most _LARGE pixels a side; what was done."""
    with _said_in_one_line(name):
        image, done = _decoded(content, name)
        image.thumbnail((_LARGE, _LARGE))
        if image.mode == "LA":
            grey, paper = _on_paper(np.asarray(image, np.float32))
            done.append(f"transparent parts read as {paper} paper")
        else:
            grey = np.asarray(image, np.float32)
    if (contrast := np.ptp(grey)) < _FAINT:
        raise GlassnetsError(
            f"{name}: expected something to see, got a blank picture: its brightness "
            f"varies by {contrast:.0f} of 255, less than {_FAINT}"
        )
    return grey, done


@contextmanager
def _said_in_one_line(name: str) -> Iterator[None]:
    """Whatever a decoder stumbles over is a broken picture: they raise errors of all kinds."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except Image.DecompressionBombError:
        raise _too_large(name, "far more") from None
    except UnidentifiedImageError:
        raise GlassnetsError(
            f"{name}: expected a picture ({', '.join(FORMATS)}), got a file of another "
            "kind, or a broken one"
        ) from None
    except (GlassnetsError, MemoryError):
        raise
    except Exception as error:
        said = " ".join(str(error).split())[:200] or type(error).__name__
        raise GlassnetsError(
            f"{name}: expected a whole picture, got a broken one ({said})"
        ) from error


def _too_large(name: str, came: str) -> GlassnetsError:
    return GlassnetsError(
        f"{name}: expected a picture of at most {MOST_PIXELS / 1e6:.0f} million pixels, "
        f"got {came}: make it smaller"
    )


def _decoded(content: bytes, name: str) -> tuple[Image.Image, list[str]]:
    """The picture in mode L, or LA if some of it is transparent; what was done."""
    done = []
    with Image.open(io.BytesIO(content), formats=FORMATS) as image:
        if image.width * image.height > MOST_PIXELS:
            raise _too_large(name, f"{_size((image.height, image.width))}")
        if getattr(image, "is_animated", False):
            done.append("the first frame of several")
        upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):  # 16 bits, which Pillow would cut at 255
        levels = np.asarray(upright, np.int64) >> 8
        return Image.fromarray(levels.clip(0, 255).astype(np.uint8)), done
    if upright.has_transparency_data:
        both = upright.convert("RGBA").convert("LA")
        if both.getextrema()[1] != (255, 255):
            return both, done
    return upright.convert("L"), done


def _on_paper(values: Grey) -> tuple[Grey, str]:
    """Brightness and opacity (h, w, 2) on the paper, black or white, that the ink differs from."""
    grey, opacity = values[..., 0], values[..., 1] / np.float32(255)
    light = (grey * opacity).sum() > 127.5 * opacity.sum()
    paper = 0 if light else 255
    return grey * opacity + np.float32(paper) * (1 - opacity), "black" if light else "white"


# From grey to ink


def _light_on_dark(grey: Grey, invert: bool | None) -> tuple[Grey, str]:
    """Brightness (h, w) of light ink on dark paper, and in words whether it was inverted."""
    paper = _paper(grey)
    dark_on_light = bool(paper - grey.min() > grey.max() - paper)
    if invert is None:
        how = "dark on light: inverted" if dark_on_light else "light on dark: not inverted"
        how = f"read as {how}"
    else:
        how = "inverted, as asked" if invert else "not inverted, as asked"
    return (255 - grey if (dark_on_light if invert is None else invert) else grey), how


def _paper(grey: Grey) -> Any:
    """The median brightness of the border, a twentieth of the picture wide."""
    height, width = grey.shape
    wide = max(1, min(height, width) // 20)
    inside = np.zeros(grey.shape, bool)
    inside[wide : height - wide, wide : width - wide] = True
    return np.median(grey[~inside])


def _ink(grey: Grey) -> Grey:
    """How much of each pixel is ink, 0…1, of the smallest part (h, w) that holds all of it.

    Of the way from the paper to the brightest pixel, the first tenth is paper still and the last
    is ink already; what lies beyond the middle of it decides where the part ends.
    """
    paper = _paper(grey)
    if grey.max() - paper < _FAINT:
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
    """Ink whose longer side is ``box`` pixels, each the mean of those it takes the place of."""
    scale = box / max(ink.shape)
    height, width = (max(1, round(side * scale)) for side in ink.shape)
    means = Image.Resampling.BOX if scale < 1 else Image.Resampling.BILINEAR
    return np.asarray(Image.fromarray(ink).resize((width, height), means))


def _centred(ink: Grey, shape: Shape, layout: Layout) -> Bytes:
    """The ink in the middle of an image of this shape, its brightest pixel at 255."""
    image = np.zeros(shape, np.uint8)
    if layout.centred_by == "mass":
        centres = [np.average(np.arange(ink.shape[a]), weights=ink.sum(axis=1 - a)) for a in (0, 1)]
        starts = [round(side // 2 - centre) for side, centre in zip(shape, centres, strict=True)]
    else:
        starts = [(side - of) // 2 for side, of in zip(shape, ink.shape, strict=True)]
    top, left = (
        min(max(start, 0), side - of)
        for start, side, of in zip(starts, shape, ink.shape, strict=True)
    )
    image[top : top + ink.shape[0], left : left + ink.shape[1]] = np.rint(255 * ink / ink.max())
    return image
