"""How many points go through a network at once."""

import pytest

from glassnets.attribution.network import slices


@pytest.mark.parametrize("even", [False, True])
@pytest.mark.parametrize("total", [0, 1, 2, 5, 24, 26, 99, 100, 101, 250, 1000])
@pytest.mark.parametrize("size", [1, 7, 100])
def test_slices_hold_all_once_in_parts_of_nearly_equal_length(total, size, even):
    parts = slices(total, size, even=even)
    lengths = [part.stop - part.start for part in parts]
    assert [row for part in parts for row in range(part.start, part.stop)] == [*range(total)]
    assert max(lengths, default=0) <= size
    assert max(lengths, default=0) - min(lengths, default=0) <= 1
    fewest = -(-total // size)
    assert len(parts) == fewest or (even and len(parts) == fewest + 1)


def test_two_threads_have_the_same_share_of_much_and_one_has_what_is_little():
    counts = {total: len(slices(total, 100, even=True)) for total in (25, 26, 100, 101, 250, 301)}
    assert counts == {25: 1, 26: 2, 100: 2, 101: 2, 250: 4, 301: 4}
