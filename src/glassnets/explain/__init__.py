"""One picture of a person's own, explained: ``python -m glassnets.explain IMAGE``."""

from glassnets import runtime

runtime.pin_processor()
