"""The drawing board: draw a digit, see what the networks answer, why, and whether to believe it."""

from glassnets import runtime

runtime.pin_processor()
