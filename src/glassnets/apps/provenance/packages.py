"""The pinned packages as a list in the form of CycloneDX, from requirements.txt alone."""

import hashlib
import json
import re
import uuid
from datetime import UTC, datetime, time

from cyclonedx.model import (
    ExternalReference,
    ExternalReferenceType,
    HashAlgorithm,
    HashType,
    Property,
    XsUri,
)
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL
from packaging.requirements import Requirement

from glassnets.apps.provenance import Project

INDEX = "https://pypi.org/simple/"


def packages(project: Project) -> str:
    """The list, CycloneDX 1.6 in JSON: every package with the hashes of its files, for which
    machines it is, and which package asks for it."""
    text = project.text("requirements.txt")
    whole = Component(
        type=ComponentType.APPLICATION,
        name="glassnets",
        version=project.version,
        description=project.description,
        licenses=[LicenseExpression("Apache-2.0")],
        bom_ref="glassnets",
    )
    bom = Bom(
        serial_number=uuid.uuid5(uuid.NAMESPACE_URL, hashlib.sha256(text.encode()).hexdigest())
    )
    bom.metadata.component = whole
    bom.metadata.timestamp = datetime.combine(project.released, time(), UTC)
    # Each package's lines: name and version, hashes, and in comments who asks for it.
    blocks = re.split(r"^(?=\w)", text, flags=re.MULTILINE)
    entries = {b.split("==")[0]: b for b in blocks if re.match(r"[\w.-]+==", b)}
    components = {name: _component(block) for name, block in entries.items()}
    bom.components.update(components.values())
    asks: dict[str, list[Component]] = {}
    for name, block in entries.items():
        for by in re.findall(r"^ +# +(?:via )?(\S.*)$", block, re.MULTILINE):
            if by != "via":
                asks.setdefault("" if by.startswith("-r ") else by, []).append(components[name])
    bom.register_dependency(whole, asks.get("", ()))
    for name, component in components.items():
        bom.register_dependency(component, asks.get(name, ()))
    return json.dumps(json.loads(JsonV1Dot6(bom).output_as_string()), indent=2) + "\n"


def _component(block: str) -> Component:
    requirement = Requirement(block.split("\\")[0])
    (pinned,) = requirement.specifier
    marker = requirement.marker
    hashes = re.findall(r"--hash=sha256:(\w+)", block)
    files = ExternalReference(
        type=ExternalReferenceType.DISTRIBUTION,
        url=XsUri(f"{INDEX}{requirement.name}/"),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=each) for each in hashes],
    )
    return Component(
        type=ComponentType.LIBRARY,
        name=requirement.name,
        version=pinned.version,
        purl=PackageURL("pypi", name=requirement.name, version=pinned.version),
        bom_ref=f"{requirement.name}=={pinned.version}",
        external_references=[files],
        properties=[Property(name="glassnets:marker", value=str(marker))] if marker else (),
    )
