"""Checks of what is checked out, each run alone or all together."""

from typing import NamedTuple

from glassnets import runtime

runtime.pin_processor()


class Outcome(NamedTuple):
    """faults: a line each, none where the check passes. message: what was looked at, or why not."""

    faults: tuple[str, ...]
    message: str
