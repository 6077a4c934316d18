"""Tests run under the processor settings and determinism of the stages themselves."""

from glassnets import runtime

runtime.pin_processor()  # before anything imports NumPy
