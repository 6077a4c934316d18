"""Asks each form's own validator about what `glassnets provenance` wrote.

python src/glassnets/apps/provenance/validate.py FOLDER

Run by `make provenance` in an environment of its own, .venv-provenance, which holds no glassnets
(requirements-provenance.txt). Exits with 1 where a validator finds an error.
"""

import io
import json
import os
import sys
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

# Nothing is asked of the network: a context comes with the package rocrate. It is that of a newer
# version; of the terms that the crate uses one has another meaning in 1.1.
_CONTEXT = "https://w3id.org/ro/crate/1.1/context"
_OTHERWISE = {"ComputationalWorkflow": "https://bioschemas.org/ComputationalWorkflow"}
_PROFILE = "provenance-run-crate-0.5"  # and those that it is based on
os.environ["ROCRATE_VALIDATOR_AUTO_WARM"] = "0"


def packages(folder: Path) -> Iterator[str]:
    from cyclonedx.schema import SchemaVersion
    from cyclonedx.validation.json import JsonStrictValidator

    text = (folder / "packages.cdx.json").read_text(encoding="utf-8")
    if error := JsonStrictValidator(SchemaVersion.V1_6).validate_str(text):
        yield str(error)


def runs(folder: Path) -> Iterator[str]:
    import requests
    from rocrate_validator import models, services
    from rocrate_validator.utils.http import HttpRequester

    text = (files("rocrate") / "data" / "ro-crate.jsonld").read_text(encoding="utf-8")
    terms = json.loads(text)["@context"] | _OTHERWISE

    def get(self: object, url: str, **options: object) -> requests.Response:
        if url != _CONTEXT:
            raise ValueError(f"expected no address but {_CONTEXT}, got {url}")
        response = requests.Response()
        response.status_code, response.url = 200, url
        response.headers["Content-Type"] = "application/ld+json"
        response.raw = io.BytesIO(json.dumps({"@context": terms}).encode())
        return response

    HttpRequester.get = get
    settings = models.ValidationSettings(
        rocrate_uri=models.URI(str(folder)),
        profile_identifier=_PROFILE,
        requirement_severity=models.Severity.REQUIRED,
        skip_availability_check=True,
    )
    for issue in services.validate(settings).get_issues():
        yield f"{issue.check.identifier}: {issue.message}"


def datasets(folder: Path) -> Iterator[str]:
    import mlcroissant

    for path in sorted(folder.glob("dataset-*.croissant.json")):
        try:
            mlcroissant.Dataset(str(path))
        except mlcroissant.ValidationError as error:
            yield f"{path.name}: {error}"


def main(folder: str) -> int:
    """Prints each error, or that there is none; the exit code."""
    found = False
    for validator in (packages, runs, datasets):
        errors = list(validator(Path(folder)))
        for error in errors:
            print(f"{validator.__name__}: {error}", file=sys.stderr)
        print(f"{validator.__name__}: {f'{len(errors)} errors' if errors else 'valid'}")
        found |= bool(errors)
    return int(found)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
