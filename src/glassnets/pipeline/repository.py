"""The project as DVC's repository."""

from collections.abc import Iterator
from contextlib import contextmanager

from dvc.exceptions import DvcException
from dvc.repo import Repo

from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts


@contextmanager
def opened(asked: str = "say what is fresh") -> Iterator[Repo]:
    """The repository; raises GlassnetsError where DVC fails within. asked: what DVC is to do."""
    try:
        with Repo(str(artefacts.root())) as repo:
            yield repo
    except DvcException as error:
        message = " ".join(str(error).split())
        raise GlassnetsError(f"expected DVC to {asked}, got: {message}") from error
