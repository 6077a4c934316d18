"""``python -m glassnets.tracking.champion DATASET FAMILY``: that the registry has the model that
`make serve` serves, which MLflow would say in a traceback. Prints nothing where it has."""

import sys

from mlflow.exceptions import MlflowException

from glassnets import config
from glassnets.errors import GlassnetsError, in_one_line
from glassnets.pipeline import artefacts
from glassnets.tracking import store
from glassnets.tracking.register import ALIAS


def check(dataset: str, family: str) -> None:
    """Raises ParameterError for a dataset or family that is none, GlassnetsError where no model of
    these is registered."""
    params = config.load(artefacts.params_file())
    config.check_known("DATASET", [dataset], params.datasets)
    config.check_known("FAMILY", [family], params.dataset(dataset).families)
    name = f"glassnets-{dataset}-{family}"
    with store.connected() as (client, _, _):
        try:
            client.get_model_version_by_alias(name, ALIAS)
        except MlflowException:
            raise GlassnetsError(
                f"expected the model {name} in MLflow's registry, got none: "
                f"`make run DATASET={dataset}` trains and registers it"
            ) from None


if __name__ == "__main__":
    with in_one_line("other programs closed"):
        check(*sys.argv[1:])
