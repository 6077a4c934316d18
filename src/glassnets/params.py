"""params.yaml → typed, validated, frozen objects. The only reader of params.yaml.

The whole file is validated before any stage works, the parts that the stage does not use too.
Each family's own schema (its ``Network``) lives in the family's file and is found by name:
it can refuse another cell's stage, but never change its result, so it is no dependency of it.
"""

import difflib
import json
import math
from pathlib import Path
from types import ModuleType
from typing import Annotated, Any, Literal, Self, cast, get_args

from pydantic import (
    BaseModel,
    ConfigDict,
    Discriminator,
    Field,
    Tag,
    ValidationError,
    create_model,
)
from pydantic_core import ErrorDetails
from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError

from glassnets import registry
from glassnets.errors import ParameterError

Positive = Annotated[int, Field(gt=0, le=1_000_000)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
ProperFraction = Annotated[float, Field(gt=0, lt=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Shape = tuple[int, int]  # height, width of an image, in pixels

# How pydantic calls the two things that a cell's network can be.
_NETWORK, _PRESET = "<network>", "<preset>"


class Strict(BaseModel):
    """Unknown keys are refused, nothing is coerced, nothing changes once read."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


class Runtime(Strict):
    """What the bytes of a result depend on beside code, data and parameters."""

    intra_op_threads: Annotated[int, Field(gt=0, le=256)]
    inter_op_threads: Annotated[int, Field(gt=0, le=256)]


class Evaluation(Strict):
    bootstrap_resamples: Annotated[int, Field(ge=100, le=100_000)]
    confidence_level: Annotated[float, Field(ge=0.5, lt=1)]
    calibration_bins: Annotated[int, Field(ge=2, le=1000)]
    random_state: Seed


class Augmentation(Strict):
    """Largest random affine change of a training image, each drawn uniformly in ± its value."""

    rotation: Annotated[float, Field(ge=0, le=180)]  # degrees
    scale: Fraction  # of the size
    shear: Fraction  # horizontal shift of a row per row of distance from the centre
    shift: Fraction  # of height and of width
    ramp_epochs: Annotated[float, Field(ge=0)]  # over which the change grows from none to its full


class Muon(Strict):
    momentum: Fraction
    adam_lr_ratio: Annotated[float, Field(gt=0)]  # of what Adam moves, to the learning rate


class Training(Strict):
    epochs: Annotated[int, Field(gt=0, le=10_000)]
    batch_size: Positive
    learning_rate: Annotated[float, Field(gt=0, le=10)]
    schedule: Literal["constant", "cosine"]
    warmup_epochs: Annotated[float, Field(ge=0)]
    weight_decay: Annotated[float, Field(ge=0, le=1)]
    muon: Muon | None  # moves the kernels of hidden layers; Adam the rest, or all without it
    label_smoothing: Fraction
    global_clipnorm: Annotated[float, Field(gt=0)] | None  # largest norm of all gradients together
    ema_momentum: Fraction  # of the moving average of weights that is kept; 0 keeps the last ones
    augmentation: Augmentation | None

    def problem(self) -> str | None:
        if self.schedule == "constant" and self.warmup_epochs:
            return f"warmup_epochs: expected 0 with a constant schedule, got {self.warmup_epochs}"
        if self.warmup_epochs >= self.epochs:
            return f"warmup_epochs: expected fewer than the {self.epochs} epochs, got " + str(
                self.warmup_epochs
            )
        return None


class Network(Strict):
    """The shape of a network; every family derives its own."""

    def problem(self, image_shape: Shape) -> str | None:
        """``"key: what is wrong with it"`` for images of this shape, None if nothing is."""
        return None


class Panel(Strict):
    """Which test images are explained, the same for every family."""

    images: Positive
    wrong: Annotated[int, Field(ge=0)]  # so many of them were answered wrongly by some network
    random_state: Seed

    def problem(self) -> str | None:
        if self.wrong > self.images:
            return f"wrong: expected at most the {self.images} images, got {self.wrong}"
        return None


class Explanations(Strict):
    """How a dataset's networks are explained, and how the explanations are judged."""

    panel: Panel
    max_correlation: ProperFraction  # with maps of a network that knows nothing, to be believed
    random_state: Seed
    methods: Any  # a group of options for each attribution method that is run
    trust: Any  # a group of options for each trust metric that is computed

    @staticmethod
    def chosen(group: Strict) -> dict[str, Any]:
        """Options by name, of what a group (``methods`` or ``trust``) asks for."""
        return {name: options for name, options in group if options is not None}


class Planting(Strict):
    """How a dataset is made: cues of known place over another dataset's images."""

    source: str  # the dataset whose images distract
    patch_size: Annotated[int, Field(ge=4, le=1000, multiple_of=4)]  # of cue and decoy, in pixels
    max_decoys: Positive  # of each image, one at least
    random_state: Seed


class Cell(Strict):
    """One (dataset, family): the network's shape and how it is trained."""

    network: Any  # the family's own Network, or the name of one of its PRESETS
    training: Training


class Dataset(Strict):
    """One dataset: what it must be, how it is split, its seeds, and a Cell for each family."""

    shape: tuple[Positive, Positive, Positive]
    classes: Annotated[int, Field(ge=2, le=255)]
    images_sha256: Sha256 | None  # null for a dataset that is planted: its source's are pinned
    labels_sha256: Sha256 | None
    planting: Planting | None = None
    split: Literal["random", "official"]
    official_test_images: Positive | None
    test_size: ProperFraction
    validation_size: ProperFraction
    random_state: Seed
    stratify: bool
    max_images: Positive | None
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=1000)]
    explanations: Any  # Explanations, whose options are the methods' and metrics' own

    @property
    def families(self) -> tuple[str, ...]:
        """Names of the families that this dataset has a cell for, sorted."""
        return tuple(n for n in registry.names("families") if getattr(self, n, None) is not None)

    @property
    def image_shape(self) -> Shape:
        """(height, width), in pixels."""
        return self.shape[1:]

    def family(self, name: str) -> Cell:
        """The cell of this family, its preset (if one was named) resolved to a network."""
        cell = cast(Cell | None, getattr(self, name, None))
        if cell is None:
            raise ParameterError(f"params.yaml: expected a group for the family '{name}', got none")
        network = cell.network
        if isinstance(network, str):
            network = registry.member("families", name).PRESETS[network]
        return Cell(network=network, training=cell.training)

    def problem(self) -> str | None:
        if len(set(self.seeds)) < len(self.seeds):
            return f"seeds: expected different seeds, got {list(self.seeds)}"
        for key in ("images_sha256", "labels_sha256"):
            if (getattr(self, key) is None) != (self.planting is not None):
                came, wanted = ("null", "a hash") if self.planting is None else ("a hash", "null")
                return f"{key}: expected {wanted}, got {came}"
        if self.split == "official":
            if self.official_test_images is None:
                return "split: expected 'random' where official_test_images is null, got 'official'"
            if self.max_images is not None:
                return "max_images: expected null with split: official, got " + str(self.max_images)
            if self.official_test_images >= self.shape[0]:
                return (
                    f"official_test_images: expected fewer than the {self.shape[0]} images, "
                    f"got {self.official_test_images}"
                )
        images = min(self.shape[0], self.max_images or self.shape[0])
        official = self.split == "official"
        test = self.official_test_images if official else math.ceil(images * self.test_size)
        assert test is not None
        validation = math.ceil((images - test) * self.validation_size)
        parts = {
            "official_test_images" if official else "test_size": ("test", test),
            "validation_size": ("validation", validation),
            "max_images" if self.max_images else "shape": ("train", images - test - validation),
        }
        for key, (part, size) in parts.items():
            if size < self.classes:
                return (
                    f"{key}: expected a split that gives each of the {self.classes} classes "
                    f"an example, got {size} of {images} images in the {part} part"
                )
        return None


class Params(Strict):
    """The whole of params.yaml: what all share, and a Dataset for each dataset."""

    runtime: Runtime
    evaluation: Evaluation

    def dataset(self, name: str) -> Dataset:
        found = cast(Dataset | None, getattr(self, name, None))
        if found is None:
            raise ParameterError(
                f"params.yaml: expected a group for the dataset '{name}', got none"
            )
        return found

    @classmethod
    def schema_of_all(cls) -> type[Self]:
        """This schema with an optional key for each dataset, and in each for every family."""
        cells: dict[str, Any] = {}
        for name in registry.names("families"):
            module = registry.member("families", name)
            cell = create_model(
                f"{name}.Cell", __base__=Cell, network=(_network_or_preset(module), ...)
            )
            cells[name] = (cell | None, None)
        room = registry.package("explanations")
        methods = {n: method for n, method in room.METHODS.items() if n not in room.CONTROLS}
        explanations = create_model(
            "Explanations",
            __base__=Explanations,
            methods=(_options(methods), ...),
            trust=(_options(registry.package("trust").METRICS), ...),
        )
        dataset = create_model(
            "Dataset", __base__=Dataset, explanations=(explanations, ...), **cells
        )
        datasets: dict[str, Any] = dict.fromkeys(registry.names("datasets"), (dataset | None, None))
        return create_model("Params", __base__=cls, **datasets)


def _options(members: dict[str, Any]) -> type[Strict]:
    """The schema of a group that may hold, for each method or metric, its options."""
    fields: dict[str, Any] = {n: (member.options | None, None) for n, member in members.items()}
    return create_model("Chosen", __base__=Strict, **fields)


def _network_or_preset(family: ModuleType) -> Any:
    """The type of a cell's ``network``: the family's Network, or the name of one of its PRESETS."""

    def branch(value: Any) -> str | None:
        if isinstance(value, dict):
            return _NETWORK
        return _PRESET if value in tuple(family.PRESETS) else None

    presets: Any = Literal[tuple(family.PRESETS)]
    return Annotated[
        Annotated[family.Network, Tag(_NETWORK)] | Annotated[presets, Tag(_PRESET)],
        Discriminator(
            branch,
            custom_error_type="network_or_preset",
            custom_error_message="a group of keys or a preset: " + ", ".join(family.PRESETS),
        ),
    ]


def load(path: Path) -> Params:
    """params.yaml as typed objects.

    Raises ParameterError, one line that names the key, what was expected and what came.
    """
    try:
        raw = YAML(typ="safe", pure=True).load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ParameterError(
            f"{path.name}: expected a readable file, got: {error.strerror}"
        ) from error
    except (YAMLError, ValueError, LookupError, RecursionError) as error:
        raise ParameterError(f"{path.name}: expected valid YAML, got: {_said(error)}") from error
    schema = Params.schema_of_all()
    try:
        # By way of JSON, where pydantic's strict mode still takes a list for a tuple.
        params = schema.model_validate_json(json.dumps(raw, default=str))
    except ValidationError as error:
        raise ParameterError(f"{path.name}: {_first(error, schema)}") from None
    except (ValueError, TypeError, RecursionError) as error:
        raise ParameterError(
            f"{path.name}: expected plain keys and values, got: {_said(error)}"
        ) from error
    for key, problem in _problems(params):
        raise ParameterError(f"{path.name}: {key}.{problem}")
    return params


def _problems(params: Params) -> list[tuple[str, str]]:
    """What no single value shows: (key of the group, what is wrong in it)."""
    found: list[tuple[str, str | None]] = []
    for dataset_name in registry.names("datasets"):
        dataset = cast(Dataset | None, getattr(params, dataset_name))
        if dataset is None:
            continue
        found.append((dataset_name, dataset.problem()))
        found.append((f"{dataset_name}.planting", _source_problem(params, dataset)))
        found.append((f"{dataset_name}.explanations.panel", dataset.explanations.panel.problem()))
        for name in dataset.families:
            cell = dataset.family(name)
            key = f"{dataset_name}.{name}"
            found.append((f"{key}.training", cell.training.problem()))
            found.append((f"{key}.network", cell.network.problem(dataset.image_shape)))
    return [(key, problem) for key, problem in found if problem is not None]


def _source_problem(params: Params, dataset: Dataset) -> str | None:
    if dataset.planting is None:
        return None
    groups = {name: getattr(params, name) for name in registry.names("datasets")}
    known = [name for name, group in groups.items() if group and group.planting is None]
    if dataset.planting.source in known:
        return None
    return f"source: expected one of {', '.join(known)}, got {_shown(dataset.planting.source)}"


# pydantic's types of complaint in the words of someone who writes YAML; the others are so already.
_EXPECTED = {
    "bool_type": "true or false",
    "float_type": "a number",
    "greater_than": "a number greater than {gt}",
    "greater_than_equal": "a number of at least {ge}",
    "int_type": "a whole number",
    "less_than": "a number less than {lt}",
    "less_than_equal": "a number of at most {le}",
    "missing": "a value",
    "model_type": "a group of keys",
    "multiple_of": "a multiple of {multiple_of}",
    "string_pattern_mismatch": "text that matches {pattern}",
    "string_type": "text",
    "too_long": "a list of at most {max_length}",
    "too_short": "a list of at least {min_length}",
    "tuple_type": "a list",
}


def _first(error: ValidationError, schema: type[BaseModel]) -> str:
    """One of pydantic's complaints as one line: key, what was expected, what came."""
    problems = error.errors(include_url=False)
    # A misspelt key is missing too: speak of what stands there.
    problem = min(problems, key=lambda each: each["type"] != "extra_forbidden")
    loc = [step for step in problem["loc"] if step not in (_NETWORK, _PRESET)]
    key = ".".join(_shown(step).strip('"') for step in loc) or "the file"
    if problem["type"] == "extra_forbidden":
        known = sorted(_group(schema, loc[:-1]).model_fields)
        close = difflib.get_close_matches(str(loc[-1]), known, n=1)
        hint = f" (did you mean '{close[0]}'?)" if close else ""
        return f"{key}: expected one of {', '.join(known)}, got an unknown key{hint}"
    came = "nothing" if problem["type"] == "missing" else _shown(problem["input"])
    return f"{key}: expected {_expected(problem)}{_or_null(schema, loc)}, got {came}"


def _expected(problem: ErrorDetails) -> str:
    said = problem["msg"].removeprefix("Input should be ")
    return _EXPECTED.get(problem["type"], said).format(**problem.get("ctx", {}))


def _or_null(schema: type[BaseModel], loc: list[str | int]) -> str:
    if not loc or isinstance(loc[-1], int):  # the file, or an item of a list
        return ""
    annotation = _group(schema, loc[:-1]).model_fields[loc[-1]].annotation
    return " or null" if type(None) in get_args(annotation) else ""


def _group(schema: type[BaseModel], loc: list[str | int]) -> type[BaseModel]:
    """The schema of the group of keys at this place."""
    for step in loc:
        (schema,) = _groups(schema.model_fields[str(step)].annotation)
    return schema


def _groups(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [group for part in get_args(annotation) for group in _groups(part)]


def _shown(value: Any) -> str:
    """A key or a value as it could stand in the file, printable and not too long."""
    text = json.dumps(value, ensure_ascii=False)
    if not text.isprintable():
        text = json.dumps(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _said(error: Exception) -> str:
    """What a parser complains of, in one line."""
    said = str(error)
    if isinstance(error, MarkedYAMLError) and error.problem_mark is not None:
        line = f"line {error.problem_mark.line + 1}"
        said = ", ".join(filter(None, (error.context, error.problem, line)))
    return " ".join(said.split())[:300]
