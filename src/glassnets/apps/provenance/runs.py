"""The runs of stages that gave what dvc.lock has, as a Provenance Run RO-Crate."""

import hashlib
import json
import re
import shutil
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from rocrate.model import ComputationalWorkflow, ContextEntity, Dataset, File
from rocrate.rocrate import ROCrate

from glassnets.apps.provenance import LICENCE, Project
from glassnets.errors import GlassnetsError

WORKFLOW = "dvc.yaml"
COPIED = ("dvc.lock", "params.yaml", "requirements.txt")
_RUN = "https://w3id.org/ro/wfrun"
PROFILES = {
    f"{_RUN}/process/0.5": "Process Run Crate",
    f"{_RUN}/workflow/0.5": "Workflow Run Crate",
    f"{_RUN}/provenance/0.5": "Provenance Run Crate",
    "https://w3id.org/workflowhub/workflow-ro-crate/1.0": "Workflow RO-Crate",
}
_DVC = "https://dvc.org"
_DONE = "http://schema.org/CompletedActionStatus"


def write(project: Project, folder: Path, beside: Iterable[str]) -> None:
    """Writes the crate into the folder: the workflow and what it is run with as copies, what stages
    read and wrote by its hash. beside: names of files in the folder that are part of it.

    Raises GlassnetsError where a manifest is not the one that dvc.lock says was read.
    """
    for name in (WORKFLOW, *COPIED):
        shutil.copyfile(project.root / name, folder / name)
    crate = _Crate(project)
    stages = project.stages()
    for position, (name, stage) in enumerate(stages.items(), start=1):
        crate.add_stage(position, name, stage)
    crate.finish((*COPIED, *beside))
    # The library would copy the files onto themselves.
    metadata = crate.crate.metadata
    text = json.dumps(metadata.generate(), indent=2, sort_keys=True, ensure_ascii=False)
    (folder / metadata.id).write_text(text + "\n", encoding="utf-8")


class _Crate:
    def __init__(self, project: Project) -> None:
        self.project = project
        self.crate = ROCrate(version="1.1")
        self.written = project.yaml(WORKFLOW)["stages"]
        self.steps: list[Any] = []
        self.actions: list[Any] = []
        self.controls: list[Any] = []
        self.tools: dict[str, Any] = {}
        self.inputs: dict[str, Any] = {}
        self.outputs: dict[str, Any] = {}

    def _add(self, identifier: str, kind: str | list[str], /, **properties: Any) -> Any:
        if found := self.crate.get(identifier):
            return found
        own = {"@type": kind, **properties}
        return self.crate.add(ContextEntity(self.crate, identifier, properties=own))

    def add_stage(self, position: int, name: str, stage: dict[str, Any]) -> None:
        """The step of the workflow that a stage is, its run, and what that read and wrote."""
        kind = name.partition("@")[0]
        about = self.written[kind]
        tool = self._add(
            f"#stages.{kind}",
            "SoftwareApplication",
            name=f"glassnets.pipeline.stages.{kind}",
            description=about.get("do", about)["desc"],
            softwareVersion=self.project.version,
        )
        self.tools[kind] = tool
        step = self._add(
            f"#step/{name}", "HowToStep", name=name, position=str(position), workExample=tool
        )
        read = [self._of_file(each) for each in stage["deps"]]
        wrote = [self._of_file(each) for each in stage["outs"]]
        self.inputs |= {each.id: each for each in read}
        self.outputs |= {each.id: each for each in wrote}
        action = self._add(
            f"#run/{name}",
            "CreateAction",
            name=name,
            description=" ".join(stage["cmd"].split()),
            instrument=tool,
            object=read + self._parameters(name, stage),
            result=wrote,
            actionStatus=_DONE,
        )
        self.steps.append(step)
        self.actions.append(action)
        self.controls.append(
            self._add(
                f"#control/{name}",
                "ControlAction",
                name=f"DVC ran {name}",
                instrument=step,
                object=action,
            )
        )

    def _of_file(self, entry: dict[str, Any]) -> Any:
        """A file or folder of dvc.lock: what has the same hash is the same."""
        folder = entry["md5"].endswith(".dir")
        identifier = f"hash://md5/{entry['md5']}{'/' if folder else ''}"
        found = self.crate.get(identifier)
        if found is None:
            own = {
                "name": entry["path"],
                "identifier": f"md5:{entry['md5']}",
                "contentSize": str(entry["size"]),
            }
            kind = Dataset if folder else File
            found = self.crate.add(kind(self.crate, identifier, properties=own))
        elif entry["path"] != found["name"]:
            known = {*found.get("alternateName", []), entry["path"]}
            found["alternateName"] = sorted(known)
        return found

    def _parameters(self, name: str, stage: dict[str, Any]) -> list[Any]:
        """The parameters that the run's manifest names."""
        found = []
        for entry in stage["deps"]:
            if not re.fullmatch(r"manifests/.+\.json", entry["path"]):
                continue
            content = (self.project.root / entry["path"]).read_bytes()
            if hashlib.md5(content, usedforsecurity=False).hexdigest() != entry["md5"]:
                raise GlassnetsError(
                    f"expected {entry['path']} as dvc.lock says that {name} read it, got another: "
                    "`dvc repro` brings both together"
                )
            for key, value in json.loads(content)["parameters"].items():
                text = json.dumps(value, sort_keys=True)
                digest = hashlib.sha256(text.encode()).hexdigest()[:16]
                found.append(
                    self._add(f"#parameter/{key}/{digest}", "PropertyValue", name=key, value=text)
                )
        return found

    def finish(self, files: Iterable[str]) -> None:
        """What is of the whole: the workflow, its run, the crate."""
        crate, project = self.crate, self.project
        dvc = self._add(
            _DVC,
            ["ComputerLanguage", "SoftwareApplication"],
            name="DVC",
            url=_DVC,
            identifier={"@id": _DVC},
            version=_pinned(project, "dvc"),
            softwareVersion=_pinned(project, "dvc"),
        )
        licence = self._add(LICENCE, "CreativeWork", name="Apache License 2.0", url=LICENCE)
        workflow = crate.add(
            ComputationalWorkflow(
                crate,
                dest_path=WORKFLOW,
                properties={
                    "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow", "HowTo"],
                    "name": "glassnets",
                    "description": project.description,
                    "programmingLanguage": dvc,
                    "license": licence,
                    "version": project.version,
                    "step": self.steps,
                    "hasPart": [*self.tools.values()],
                },
            )
        )
        crate.mainEntity = workflow
        for name in files:
            crate.add_file(dest_path=name, properties={"name": name})
        read = [each for key, each in self.inputs.items() if key not in self.outputs]
        run = self._add(
            "#run",
            "CreateAction",
            name=f"Runs of glassnets {project.version}",
            instrument=workflow,
            object=read,
            result=[*self.outputs.values()],
            actionStatus=_DONE,
        )
        whole = self._add(
            "#organize",
            "OrganizeAction",
            name="DVC ran the stages",
            instrument=dvc,
            object=self.controls,
            result=run,
        )
        profiles = [
            self._add(url, "CreativeWork", name=name, version=url.rpartition("/")[2])
            for url, name in PROFILES.items()
        ]
        root = crate.root_dataset
        root["name"] = f"glassnets {project.version}: {', '.join(project.datasets)}"
        root["description"] = project.description
        root["license"] = licence
        root["datePublished"] = project.released.isoformat()
        root["conformsTo"] = profiles
        root["mentions"] = [run, whole, *self.actions]


def _pinned(project: Project, package: str) -> str:
    found = re.search(rf"^{package}==(\S+)", project.text("requirements.txt"), re.MULTILINE)
    if found is None:
        raise GlassnetsError(f"requirements.txt: expected {package} pinned, got none")
    return found[1]
