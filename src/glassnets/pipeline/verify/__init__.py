"""Can what is checked out be believed? Checks that can fail, each asked alone or all together."""

from glassnets import runtime

runtime.pin_processor()
