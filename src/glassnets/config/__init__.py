"""params.yaml: its schema, and reading it."""

from glassnets.config.loading import check_known, load

__all__ = ["check_known", "load"]
