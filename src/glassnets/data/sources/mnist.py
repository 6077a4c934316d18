"""MNIST: 70,000 handwritten digits of 28×28, the 60,000 of its training part first.

Read from the four original IDX files (LeCun, Cortes & Burges 1998) where a person has put them,
else downloaded from OpenML as ``mnist_784`` version 1: the same images in the same order.
"""

import gzip
import math
import struct
import sys
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from urllib.request import BaseHandler, Request, build_opener, install_opener

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import fetch_openml
from tqdm import tqdm
from tqdm.utils import CallbackIOWrapper

from glassnets.data import Arrays
from glassnets.errors import GlassnetsError

FILES = {
    "train-images-idx3-ubyte": (60_000, 28, 28),
    "train-labels-idx1-ubyte": (60_000,),
    "t10k-images-idx3-ubyte": (10_000, 28, 28),
    "t10k-labels-idx1-ubyte": (10_000,),
}

# Seconds that a server may be silent. scikit-learn asks up to eight times, a second apart,
# before it gives up: in all this must stay within a minute.
TIMEOUT = 5.0


def load(external: Path) -> Arrays:
    """The IDX files in external, each plain or gzipped; OpenML's copy if it holds none of them.

    Raises GlassnetsError if some of the files are missing or one is broken, and if the download
    is needed and fails. Nothing is left on disk.
    """
    found = {name: path for name in FILES if (path := _plain_or_gzipped(external / name))}
    if found:
        missing = [name for name in FILES if name not in found]
        if missing:
            raise GlassnetsError(
                f"mnist: expected four IDX files in {external}, got {len(found)} "
                f"({', '.join(found)}); put {', '.join(missing)} there too (plain or .gz), "
                "or take all away to download from OpenML"
            )
        arrays = [read_idx(found[name], shape) for name, shape in FILES.items()]
        return {"images": np.concatenate(arrays[::2]), "labels": np.concatenate(arrays[1::2])}
    try:
        return _download()
    except MemoryError:
        raise
    # Whatever goes wrong, a network or a server's answer, scikit-learn trips over it in its own
    # way: URLError, ValueError, EOFError, KeyError, its ARFF reader's own…
    except Exception as error:
        # The first sentence: the next ones speak of a cache that is gone.
        reason = " ".join(f"{type(error).__name__}: {error}".split()).split(". ")[0]
        raise GlassnetsError(
            f"mnist: expected its four IDX files in {external}, or mnist_784 from "
            f"www.openml.org; got no such file there, and from OpenML: {reason}; put "
            f"{', '.join(FILES)} there (plain or .gz), try again with a network, or run the "
            "embedded dataset: dvc repro compare@digits"
        ) from error


def _plain_or_gzipped(path: Path) -> Path | None:
    for candidate in (path, path.with_name(f"{path.name}.gz")):
        if candidate.is_file():
            return candidate
    return None


def read_idx(path: Path, shape: tuple[int, ...]) -> NDArray[np.uint8]:
    """The array of an IDX file of unsigned bytes that must have this shape; gunzipped if ``.gz``.

    The header must promise exactly this shape and the file hold exactly that many bytes, so no
    file, however large or compressed, makes it read more. Raises GlassnetsError otherwise.
    """
    # Two zero bytes, 8 for unsigned byte, the number of axes; each size as big-endian uint32.
    header = struct.pack(f">HBB{len(shape)}I", 0, 8, len(shape), *shape)
    size = math.prod(shape)
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            head = file.read(len(header))
            body = file.read(size + 1) if head == header else b""
    except (OSError, EOFError, zlib.error) as error:
        came = f"a broken file ({error})"
    else:
        if head != header:
            came = f"the header {head.hex(' ', -4) or '(none)'}"
        elif len(body) != size:
            came = f"{len(body)} bytes" if len(body) < size else "more bytes"
        else:
            return np.frombuffer(body, np.uint8).reshape(shape)
    raise GlassnetsError(
        f"{path}: expected {'×'.join(map(str, shape))} unsigned bytes after the IDX header "
        f"{header.hex(' ', -4)}, got {came}; put MNIST's original file there"
    )


def _download() -> Arrays:
    """OpenML's copy; raises whatever a network or an answer gone wrong makes of fetch_openml."""
    print(
        "mnist: downloading mnist_784 from www.openml.org, about 15 MB, and half a minute to parse",
        file=sys.stderr,
    )
    # In a cache that goes when the download ends, for one that is cut off leaves files behind.
    with (
        TemporaryDirectory(prefix="glassnets-mnist-") as cache,
        _watched_requests(),
        warnings.catch_warnings(action="ignore"),  # "Retrying…": what matters ends as an error
    ):
        openml = fetch_openml(
            "mnist_784",
            version=1,
            as_frame=False,
            data_home=cache,
            n_retries=1,
            # The other parser is faster, but fails where pandas 3 takes the labels for integers.
            parser="liac-arff",
        )
    images = _as_bytes(openml.data).reshape(-1, 28, 28)
    labels = _as_bytes(openml.target.astype(np.float64))  # '0'…'9' until here
    print(f"mnist: downloaded {len(images)} images", file=sys.stderr)
    return {"images": images, "labels": labels}


def _as_bytes(values: NDArray[np.float64]) -> NDArray[np.uint8]:
    with np.errstate(invalid="ignore"):  # the next line finds what does not fit
        cast = values.astype(np.uint8)
    if not np.array_equal(cast, values):
        raise ValueError("expected whole numbers in 0…255, got others")
    return cast


@contextmanager
def _watched_requests() -> Iterator[None]:
    """Until the block ends, urllib's requests have a timeout and show a bar of the bytes read."""
    with tqdm(desc="mnist", unit="B", unit_scale=True, disable=None) as bar:
        install_opener(build_opener(_Watch(bar)))
        try:
            yield
        finally:
            install_opener(build_opener())


class _Watch(BaseHandler):
    """urllib calls these for every request and every response, by their names."""

    def __init__(self, bar: Any) -> None:
        self.bar = bar

    def http_request(self, request: Request) -> Request:
        request.timeout = TIMEOUT
        return request

    def http_response(self, request: Request, response: HTTPResponse) -> CallbackIOWrapper:
        self.bar.total = response.length
        self.bar.reset()
        return CallbackIOWrapper(self.bar.update, response, "read")

    https_request = http_request
    https_response = http_response
