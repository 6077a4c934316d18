"""What a check found."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Outcome:
    """faults: a line each, none where the check passes. said: what was looked at, or why not."""

    faults: tuple[str, ...]
    said: str

    @property
    def passes(self) -> bool:
        return not self.faults
