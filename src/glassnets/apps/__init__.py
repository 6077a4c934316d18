"""What a person starts: the command that explains a picture, the drawing board."""

from glassnets import runtime

runtime.pin_processor()
