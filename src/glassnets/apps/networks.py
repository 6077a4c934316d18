"""Whether the networks that a command needs are here, before the seconds that TensorFlow takes."""

from collections.abc import Iterable

from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts, trained


def check_trained(dataset: str, families: Iterable[str], seed: int) -> None:
    """Raises GlassnetsError, which names every family whose network of the seed is not here and the
    one command that trains them all."""
    absent = [f for f in families if not artefacts.weights(dataset, f, seed).is_file()]
    if len(absent) > 1:
        raise GlassnetsError(
            f"expected trained networks of {dataset}, seed {seed}, got none of "
            f"{', '.join(absent)}: `make run DATASET={dataset}` trains them all"
        )
    for family in absent:
        trained.weights(dataset, family, seed)
