"""The environment and what requirements*.txt pin."""

import re
from importlib.metadata import distributions

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from glassnets.pipeline import artefacts
from glassnets.pipeline.verify import Outcome

FILES = ("requirements.txt", "requirements-dev.txt")
# Not pinned by us: ourselves, and what builds an environment before it holds anything.
OWN = {"glassnets", "pip"}


def environment() -> Outcome:
    """Are the packages those that requirements*.txt pin?

    Names every package that is missing, of another version, or pinned nowhere.
    """
    pinned = {}
    faults = []
    for file in FILES:
        for requirement in requirements((artefacts.root() / file).read_text(encoding="utf-8")):
            if requirement.marker and not requirement.marker.evaluate():
                continue
            if not re.fullmatch(r"==[^,*]+", str(requirement.specifier)):
                faults.append(f"{file}: {requirement.name} is not pinned to one version")
            pinned[canonicalize_name(requirement.name)] = requirement.specifier
    here = {canonicalize_name(each.metadata["Name"]): each.version for each in distributions()}
    faults += [
        f"{name}: expected {specifier}, got {here.get(name, 'none')}"
        for name, specifier in sorted(pinned.items())
        if name not in here or not specifier.contains(here[name], prereleases=True)
    ]
    faults += [
        f"{name}: {here[name]} is installed, but pinned nowhere"
        for name in sorted(here.keys() - pinned.keys() - OWN)
    ]
    return Outcome(tuple(faults), f"{len(pinned)} packages pinned, {len(here)} installed")


def requirements(text: str) -> list[Requirement]:
    """The requirements of a compiled file: each line that begins one, without its hashes."""
    lines = (re.sub(r"\s*(\\|--hash=\S+|#.*)", "", line) for line in text.splitlines())
    return [Requirement(line) for line in lines if line.strip()]
