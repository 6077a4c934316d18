"""What can go wrong in front of a person: one line each, saying what to do; no traceback."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager


class GlassnetsError(Exception):
    """A failure while working. The message is one line for the person at the keyboard."""

    exit_code = 1


class ParameterError(GlassnetsError):
    """Something asked for cannot be: a wrong key or value in params.yaml, a wrong argument."""

    exit_code = 2


@contextmanager
def in_one_line(out_of_memory: str) -> Iterator[None]:
    """Leaves the program with one line on standard error, and an exit code, for what fails within.

    out_of_memory is what to try where the memory was not enough.
    """
    try:
        yield
    except GlassnetsError as error:
        _leave(str(error), error.exit_code)
    except OSError as error:
        _leave(f"{error.strerror or error}: {error.filename or 'no file named'}", 1)
    except MemoryError:
        _leave(f"expected enough memory, got none left: try {out_of_memory}", 1)
    except KeyboardInterrupt:
        _leave("interrupted; nothing was half-written", 130)


def _leave(message: str, exit_code: int) -> None:
    print(f"error: {message}", file=sys.stderr)
    raise SystemExit(exit_code)
