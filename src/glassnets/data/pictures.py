"""Picture files as Pillow images: upright, of a size that memory holds, or an error of one line."""

import io
import warnings
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from glassnets.errors import GlassnetsError

FORMATS = ("PNG", "JPEG", "BMP", "GIF", "WEBP")
MAX_BYTES = 100_000_000
MAX_PIXELS = 64_000_000


def printable(path: Path) -> str:
    """A path in one printable line."""
    return str(path) if str(path).isprintable() else repr(str(path))


def check_size(name: str, size: int) -> None:
    """That a file of this many bytes may be read. Raises GlassnetsError."""
    if not 0 < size <= MAX_BYTES:
        raise GlassnetsError(
            f"{name}: expected a picture of 1 byte to {MAX_BYTES / 1e6:.0f} MB, "
            f"got {'an empty file' if size == 0 else f'{size / 1e6:.0f} MB'}"
        )


def decoded(
    content: bytes, name: str, formats: tuple[str, ...] = FORMATS
) -> tuple[Image.Image, list[str]]:
    """The picture of a file's bytes, its first frame, turned as its camera says; in words, what
    was left out. In the file's own mode, but 16 bits a channel are reduced to 8.

    name: what error messages call it. Raises GlassnetsError for content that is of none of the
    formats, broken or too large.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            return _decoded(content, name, formats)
    except Image.DecompressionBombError:
        raise _too_large(name, "far more") from None
    except UnidentifiedImageError:
        raise GlassnetsError(
            f"{name}: expected a picture ({', '.join(formats)}), got a file of another "
            "kind, or a broken one"
        ) from None
    except (GlassnetsError, MemoryError):
        raise
    except Exception as error:  # decoders raise all kinds
        message = " ".join(str(error).split())[:200] or type(error).__name__
        raise GlassnetsError(
            f"{name}: expected a whole picture, got a broken one ({message})"
        ) from error


def _decoded(content: bytes, name: str, formats: tuple[str, ...]) -> tuple[Image.Image, list[str]]:
    steps = []
    with Image.open(io.BytesIO(content), formats=formats) as image:
        if image.width * image.height > MAX_PIXELS:
            raise _too_large(name, f"{image.width}×{image.height}")
        if getattr(image, "is_animated", False):
            steps.append("the first frame of several")
        upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I"):  # 16 bits, which Pillow would cut at 255
        levels = np.asarray(upright, np.int64) >> 8
        upright = Image.fromarray(levels.clip(0, 255).astype(np.uint8))
    return upright, steps


def _too_large(name: str, came: str) -> GlassnetsError:
    return GlassnetsError(
        f"{name}: expected a picture of at most {MAX_PIXELS / 1e6:.0f} million pixels, "
        f"got {came}: make it smaller"
    )
