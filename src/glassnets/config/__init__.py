"""params.yaml: its schema, and reading it."""

from glassnets.config.loading import load

__all__ = ["load"]
