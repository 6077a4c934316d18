"""What a person says of their data, and what was found in them."""

from dataclasses import dataclass, field

from glassnets.config.schema import Shape, Source
from glassnets.data import Arrays


@dataclass(frozen=True)
class Options:
    """What a person says of their data, as options of the command; None: find it out."""

    label: str | None = None
    size: Shape | None = None  # (height, width) of pictures
    group: str | None = None
    time: str | None = None
    case: str | None = None
    numbers: tuple[str, ...] = ()  # columns
    categories: tuple[str, ...] = ()
    dropped: tuple[str, ...] = ()

    def given(self) -> dict[str, object]:
        """The options that were given, as they are written, with their values."""
        values = {
            "--label": self.label,
            "--size": self.size,
            "--group": self.group,
            "--time": self.time,
            "--case": self.case,
            "--number": self.numbers,
            "--category": self.categories,
            "--drop": self.dropped,
        }
        return {option: value for option, value in values.items() if value}


@dataclass(frozen=True)
class Found:
    """source says how the arrays are read; its path is left for the caller to write down."""

    source: Source
    arrays: Arrays
    class_names: tuple[str, ...]
    facts: list[tuple[str, list[str]]] = field(default_factory=list)  # a heading, its lines
    warnings: list[str] = field(default_factory=list)  # what a person should look at
    # Columns of cases and of times, where a table's rows look like the steps of series.
    case_and_time: tuple[str, str] | None = None
