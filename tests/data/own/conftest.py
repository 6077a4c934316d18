"""Files as people have them, written for a test."""

import numpy as np
import pytest
from PIL import Image

from glassnets.data import own
from glassnets.data.own import Options


@pytest.fixture
def csv(tmp_path):
    """``csv(*lines, name=…, encoding=…)``: the path of a file of these lines."""

    def write(*lines, name="data.csv", encoding="utf-8"):
        path = tmp_path / name
        path.write_bytes("".join(f"{line}\n" for line in lines).encode(encoding))
        return path

    return write


@pytest.fixture
def npz(tmp_path):
    """``npz(**arrays)``: the path of an archive."""

    def write(**arrays):
        path = tmp_path / "data.npz"
        np.savez(path, **arrays)
        return path

    return write


@pytest.fixture
def folder(tmp_path):
    """``folder({"cats/1.png": array or Pillow image, …}, **save)``: the path of a folder."""

    def write(content, **save):
        for name, image in content.items():
            path = tmp_path / "pictures" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
            image.save(path, **save)
        return tmp_path / "pictures"

    return write


@pytest.fixture
def look():
    """``look(kind, path, **options)``: what is found; reading by its source gives the same."""

    def look(kind, path, **options):
        assert own.kind_of(path, Options(**options)) == kind
        found = own.look(kind, path, Options(**options))
        again = own.read(found.source, path)
        assert again.keys() == found.arrays.keys()
        for name, array in again.items():
            np.testing.assert_array_equal(array, found.arrays[name])
            assert array.dtype == found.arrays[name].dtype
        return found

    return look
