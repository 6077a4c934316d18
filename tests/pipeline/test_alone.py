"""One process at a time in a folder, the others waiting or refused."""

import threading

import pytest

from glassnets.errors import GlassnetsError
from glassnets.pipeline.alone import alone


def test_another_waits_until_the_folder_is_free(tmp_path):
    order = []

    def second():
        with alone(tmp_path):
            order.append("second")

    other = threading.Thread(target=second)
    with alone(tmp_path):
        other.start()
        other.join(0.2)
        assert other.is_alive()
        order.append("first")
    other.join()
    assert order == ["first", "second"]


def test_another_is_refused_where_it_asks_to_be(tmp_path):
    refused = pytest.raises(GlassnetsError, match=r"^expected one$")
    with alone(tmp_path), refused, alone(tmp_path, "expected one"):
        raise AssertionError("in the block")
    with alone(tmp_path, "expected one"):  # free again
        pass


def test_other_folders_are_free(tmp_path):
    (tmp_path / "other").mkdir()
    with alone(tmp_path), alone(tmp_path / "other", "expected one"):
        pass
