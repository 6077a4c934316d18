"""One process at a time in a folder."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from glassnets.errors import GlassnetsError


@contextmanager
def alone(folder: Path, refused: str | None = None) -> Iterator[None]:
    """Keeps other processes waiting that want the same folder alone, until the block ends or the
    process does. refused: raises GlassnetsError of this text instead, where another has it."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | (fcntl.LOCK_NB if refused else 0))
        except BlockingIOError as error:
            raise GlassnetsError(refused or "") from error
        yield
    finally:
        os.close(descriptor)
