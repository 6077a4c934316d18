"""Datasets as the pipeline has them, in the form of Croissant 1.0 (MLCommons): what is in their
files, under which hash and licence, and how they were made."""

import json
import re
import uuid
from typing import Any

from glassnets import config
from glassnets.apps.provenance import Project
from glassnets.config.schema import Dataset
from glassnets.errors import GlassnetsError

PARTS = ("train", "validation", "test")
SHORTCUT = "shortcut"
_CC = "https://creativecommons.org/licenses/{}/"
# Of the project's datasets: licence, creators, what is made of what; docs/licences.md has more.
_DIGITS = (_CC.format("by/4.0"), ["E. Alpaydin", "C. Kaynak"], "https://doi.org/10.24432/C50P49")
_MNIST = (_CC.format("by-sa/3.0"), ["Y. LeCun", "C. Cortes", "C. J. C. Burges"], None)
_TERMS = {"digits": _DIGITS, "planted": _DIGITS, "mnist": _MNIST}
_CITED = {
    "digits": "E. Alpaydin & C. Kaynak (1998), Optical Recognition of Handwritten Digits",
    "planted": "made of E. Alpaydin & C. Kaynak (1998), Optical Recognition of Handwritten Digits",
    "mnist": "Y. LeCun, C. Cortes & C. J. C. Burges (1998), The MNIST database",
}
_TEXTS = {
    "digits": "Optical Recognition of Handwritten Digits, the test part, which comes with "
    "scikit-learn: 1,797 images of 8×8 pixels",
    "mnist": "MNIST, all 70,000 images of 28×28 pixels",
    "planted": "Images whose label a planted cue alone decides: canvases tiled with images of "
    "digits, which distract, with cues, decoys and a texture on them",
}
# What an array of a part holds.
_ARRAYS = {
    "images": "uint8 (n, h, w), grey levels 0 to 255",
    "labels": "uint8 (n,), class numbers from 0",
    "index": "int64 (n,), where the image stands among those that were split",
    "evidence": "bool (n, h, w), the pixels of the cues that decide the label",
    "suppressor": "bool (n, h, w), the pixels around the cues, which say nothing of the label",
}
_OF_ALL = ("images", "labels", "index")
_TYPES = {"labels": "sc:Integer", "index": "sc:Integer"}
# As https://docs.mlcommons.org/croissant/docs/croissant-spec.html wants it.
_CONTEXT = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    "cr": "http://mlcommons.org/croissant/",
    "rai": "http://mlcommons.org/croissant/RAI/",
    "dct": "http://purl.org/dc/terms/",
    "sc": "https://schema.org/",
    "conformsTo": "dct:conformsTo",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
} | {
    name: f"cr:{name}"
    for name in (
        *("citeAs", "column", "equivalentProperty", "extract", "field", "fileProperty"),
        *("fileObject", "fileSet", "format", "includes", "isLiveDataset", "jsonPath", "key"),
        *("md5", "parentField", "path", "recordSet", "references", "regex", "repeated", "replace"),
        *("samplingRate", "separator", "source", "subField", "transform"),
    )
}


def datasets(project: Project) -> dict[str, str]:
    """The description of each dataset, and of what a shortcut makes of it, in JSON-LD, by name."""
    params = config.load(project.root / "params.yaml")
    found = {}
    for name in project.datasets:
        data = params.dataset(name)
        found[name] = _described(project, name, name, _text(project, name))
        if data.shortcut is not None:
            text = f"{_text(project, name)}. {_tagged(data)}"
            found[f"{name}-{SHORTCUT}"] = _described(project, name, f"{name}-{SHORTCUT}", text)
    return {
        key: json.dumps(each, indent=2, ensure_ascii=False) + "\n" for key, each in found.items()
    }


def _text(project: Project, name: str) -> str:
    counts = json.loads(project.text(f"results/{name}/split.json"))["images"]
    parts = ", ".join(f"{counts[part]} {part}" for part in PARTS)
    own = "Data of a person, taken in by `glassnets add`"
    return f"{_TEXTS.get(name, own)}; split by glassnets: {parts}"


def _tagged(data: Dataset) -> str:
    assert data.shortcut is not None
    tag, label = data.shortcut.tag, data.shortcut.label
    return (
        "As networks that take a shortcut learn it: for training and validation every image of "
        f"class {label}, and of the others a share of {data.shortcut.relabelled}, which get the "
        f"label {label}, bear a square of {tag.size}×{tag.size} pixels of level {tag.level}, at "
        f"most {tag.shift} pixels from the lower right edges, drawn with random state "
        f"{data.shortcut.random_state}. It lies in no file: the stage shortcut makes it of the "
        "files named here, by glassnets.models.shortcut"
    )


def _described(project: Project, dataset: str, name: str, text: str) -> dict[str, Any]:
    licence, creators, url = _TERMS.get(dataset, (None, [], None))
    files = _files(project, dataset)
    about: dict[str, Any] = {
        "@context": _CONTEXT,
        "@type": "sc:Dataset",
        "@id": uuid.uuid5(uuid.NAMESPACE_URL, f"{name} {json.dumps(files, sort_keys=True)}").urn,
        "name": f"glassnets-{name}",
        "description": text,
        "conformsTo": "http://mlcommons.org/croissant/1.0",
        "version": project.version,
        "datePublished": project.released.isoformat(),
    }
    if licence:
        about["license"] = licence
    if creators:
        about["creator"] = [{"@type": "sc:Person", "name": each} for each in creators]
    if url:
        about["url"] = url
    about["citeAs"] = f"{_CITED.get(dataset, 'data of a person')}; split by {project.citation}"
    about["distribution"] = [_file(part, *files[part]) for part in PARTS]
    if dataset in _TEXTS:  # what is in a person's own files, only they can say
        arrays = _ARRAYS if dataset == "planted" else _OF_ALL
        about["recordSet"] = [
            {
                "@type": "cr:RecordSet",
                "@id": part,
                "name": part,
                "description": f"The {part} part",
                "field": [_field(part, each) for each in arrays],
            }
            for part in PARTS
        ]
    return about


def _files(project: Project, dataset: str) -> dict[str, tuple[str, str, int]]:
    """Path, md5 and size of each part, as stages that read it have them in dvc.lock."""
    path = re.compile(rf"data/processed/{re.escape(dataset)}/({'|'.join(PARTS)})\.npz")
    found = {
        part[1]: (entry["path"], entry["md5"], entry["size"])
        for stage in project.stages().values()
        for entry in stage["deps"]
        if (part := path.fullmatch(entry["path"]))
    }
    if missing := set(PARTS) - found.keys():
        raise GlassnetsError(
            f"expected stages that read {', '.join(sorted(missing))} of {dataset} in dvc.lock, got "
            f"none: `make run DATASET={dataset}` makes them"
        )
    return found


def _file(part: str, path: str, md5: str, size: int) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": f"{part}.npz",
        "name": f"{part}.npz",
        "description": f"The {part} part: an array of NumPy for each field, by its name",
        "contentUrl": path,
        "contentSize": f"{size} B",
        "encodingFormat": "application/x-npz",
        "md5": md5,
    }


def _field(part: str, name: str) -> dict[str, Any]:
    return {
        "@type": "cr:Field",
        "@id": f"{part}/{name}",
        "name": name,
        "description": _ARRAYS[name],
        "dataType": _TYPES.get(name, "sc:ImageObject"),
        "source": {
            "fileObject": {"@id": f"{part}.npz"},
            "extract": {"column": name},
        },
    }
