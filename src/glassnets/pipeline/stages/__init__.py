"""One module a DVC stage: ``python -m glassnets.pipeline.stages.<stage> <dataset> [<family>]``."""

from glassnets import runtime

runtime.pin_processor()
