"""What can go wrong in front of a person: one line each, saying what to do; no traceback."""


class GlassnetsError(Exception):
    """A failure while working. The message is one line for the person at the keyboard."""

    exit_code = 1


class ParameterError(GlassnetsError):
    """Something asked for cannot be: a wrong key or value in params.yaml, a wrong argument."""

    exit_code = 2
