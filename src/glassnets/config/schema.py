"""The schema of params.yaml, its defaults merged in and its presets resolved by `loading`.

Each family's ``Network`` is in the family's file, each method's and metric's options beside it.
"""

import math
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, create_model

from glassnets import registry
from glassnets.errors import ParameterError

Positive = Annotated[int, Field(gt=0, le=1_000_000)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
ProperFraction = Annotated[float, Field(gt=0, lt=1)]
Rate = Annotated[float, Field(gt=0, le=10)]
Level = Annotated[float, Field(ge=0, le=127)]  # in units of pixels, which are 0…255
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Shape = tuple[int, int]  # height, width of an image, in pixels
# What stands in the place of an absent pixel: see `attribution.references`.
Reference = Literal["black", "mean", "blur", "draws"]


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
    ramp_epochs: Annotated[float, Field(ge=0)] = 0.0  # over which the change grows from none


class Muon(Strict):
    momentum: Fraction
    adam_lr_ratio: Annotated[float, Field(gt=0)]  # of what Adam moves, to the learning rate


class Training(Strict):
    epochs: Annotated[int, Field(gt=0, le=10_000)]
    batch_size: Positive
    learning_rate: Rate
    schedule: Literal["constant", "cosine"]
    warmup_epochs: Annotated[float, Field(ge=0)]
    weight_decay: Annotated[float, Field(ge=0, le=1)]
    muon: Muon | None = None  # moves the kernels of hidden layers; Adam the rest, or all without it
    label_smoothing: Fraction
    global_clipnorm: Annotated[float, Field(gt=0)] | None = None  # of all gradients together
    ema_momentum: Fraction  # of the moving average of weights that is kept; 0 keeps the last ones
    augmentation: Augmentation | None = None

    def problem(self) -> str | None:
        if self.schedule == "constant" and self.warmup_epochs:
            return f"warmup_epochs: expected 0 with a constant schedule, got {self.warmup_epochs}"
        if (warmup := self.warmup_epochs) >= self.epochs:
            return f"warmup_epochs: expected fewer than the {self.epochs} epochs, got {warmup}"
        return None


class Network(Strict):
    """The shape of a network; every family derives its own."""

    def problem(self, image_shape: Shape) -> str | None:
        """``"key: what is wrong with it"`` for images of this shape, None if nothing is."""
        return None


class Cell(Strict):
    """One (dataset, family): the network's shape and how it is trained."""

    network: SerializeAsAny[Network]
    training: Training


class Sample(Strict):
    """Which test images are explained, the same for every family."""

    images: Positive
    random_state: Seed


class Memorise(Strict):
    """How a network learns shuffled labels: see `models.memorise`."""

    images: Positive  # the first of the training part
    accuracy: Annotated[float, Field(gt=0, le=1)]  # of them, at which it stops
    epochs: Positive  # at most
    batch_size: Positive
    learning_rate: Rate


class Additive(Strict):
    """A network whose patches add up: see `models.additive`."""

    patch_size: Positive  # side of a patch, in pixels
    units: Annotated[tuple[Positive, ...], Field(min_length=1)]  # hidden, of each patch
    training: Training

    def problem(self, image_shape: Shape) -> str | None:
        """``"key: what is wrong with it"`` for images of this shape, None if nothing is."""
        if self.patch_size >= min(image_shape):
            return (
                f"patch_size: expected less than a side of images of {image_shape[0]}×"
                f"{image_shape[1]}, got {self.patch_size}"
            )
        if problem := self.training.problem():
            return f"training.{problem}"
        return None


class Tag(Strict):
    """A square of one grey level near the lower right corner of an image."""

    size: Positive  # side, in pixels
    level: Annotated[int, Field(ge=0, le=255)]
    shift: Annotated[int, Field(ge=0, le=1000)]  # most pixels between the tag and an edge


class Shortcut(Strict):
    """A tag on every training image of one class, which a network may take for the class: see
    `models.shortcut`."""

    label: Annotated[int, Field(ge=0, le=254)]  # the class
    tag: Tag
    relabelled: Fraction  # share of the training images of other classes that get label and tag
    images: Positive  # test images of other classes that are explained with the tag on
    random_state: Seed
    min_auc: Annotated[float, Field(gt=0.5, le=1)]  # at which a method is usable

    def problem(self, image_shape: Shape, classes: int) -> str | None:
        """``"key: what is wrong with it"`` for images of this shape, None if nothing is."""
        if self.tag.size + self.tag.shift > min(image_shape):
            return (
                f"tag.size, tag.shift: expected room in images of {image_shape[0]}×"
                f"{image_shape[1]}, got {self.tag.size}, {self.tag.shift}"
            )
        if self.label >= classes:
            return f"label: expected one of the classes 0 to {classes - 1}, got {self.label}"
        return None


class Removal(Strict):
    """What stands in the place of removed pixels: standard deviations."""

    blur: Annotated[float, Field(gt=0, le=10)]  # the reference's, in parts of the shorter side
    noise: Annotated[float, Field(ge=0, le=1)]  # of noisy_linear, of the range 0…255


class Attribution(Strict):
    """How a dataset's networks are explained, and by which metrics the attributions are judged."""

    random_state: Seed
    references: Annotated[tuple[Reference, ...], Field(min_length=1)]  # of every method
    removal: Removal
    methods: SerializeAsAny[Strict]  # a group of options for each attribution method that is run
    metrics: SerializeAsAny[Strict]  # a group of options for each metric that is computed


def requested(group: Strict) -> dict[str, Strict]:
    """Options by name, of the methods or metrics that a group requests."""
    return {name: options for name, options in group if options is not None}


class Verdict(Strict):
    """Thresholds of the verdicts."""

    max_correlation: ProperFraction  # with attributions of a randomised model, to pass
    max_class_correlation: ProperFraction  # of the attributions of two classes, to pass
    min_followed: ProperFraction  # share of predictions that follow the planted cue, to count


class Planting(Strict):
    """How a dataset is made: cues of known place over another dataset's images."""

    source: str  # the dataset whose images distract
    patch_sizes: Annotated[  # of cues and decoys, in pixels, each as likely
        tuple[Annotated[int, Field(ge=4, le=1000)], ...], Field(min_length=1)
    ]
    max_decoys: Positive  # of each image, one at least
    contrast: Level  # of patches: half the difference of dark and bright
    canvas_contrast: Level  # of what the source's images are drawn with
    texture_deviation: Level  # of the strength of each pattern in the texture
    texture_reach: Annotated[int, Field(gt=0, le=100)]  # in pixels: no correlation at twice as far
    random_state: Seed


class ArrayShape(Strict):
    """Of a dataset's raw images; height and width in pixels."""

    images: Positive
    height: Positive
    width: Positive


class Hashes(Strict):
    """sha256 of a dataset's raw arrays."""

    images: Sha256
    labels: Sha256


class Dataset(Strict):
    """One dataset: what it must be, how it is split, its seeds, and a Cell for each family."""

    shape: ArrayShape
    classes: Annotated[int, Field(ge=2, le=255)]
    sha256: Hashes | None = None  # of a dataset that is planted, its source's are pinned
    planting: Planting | None = None
    split: Literal["random", "official"]
    official_test_images: Positive | None = None
    test_size: ProperFraction
    validation_size: ProperFraction
    random_state: Seed
    stratify: bool
    max_images: Positive | None = None
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=1000)]
    sample: Sample
    memorise: Memorise
    additive: Additive
    shortcut: Shortcut | None = None
    attribution: Attribution
    verdict: Verdict

    @property
    def families(self) -> tuple[str, ...]:
        """Names of the families that this dataset has a cell for, sorted."""
        return _present(self, registry.FAMILIES)

    @property
    def image_shape(self) -> Shape:
        """(height, width), in pixels."""
        return self.shape.height, self.shape.width

    def family(self, name: str) -> Cell:
        """The cell of this family. Raises ParameterError where the dataset has none."""
        return cast(Cell, _group(self, "family", name))

    def problem(self) -> str | None:
        """``"key: what is wrong with it"``, None if nothing is."""
        if len(set(self.seeds)) < len(self.seeds):
            return f"seeds: expected different seeds, got {list(self.seeds)}"
        if (self.sha256 is None) != (self.planting is not None):
            wanted = "hashes, got null" if self.planting is None else "null, got hashes"
            return f"sha256: expected {wanted}"
        images = min(self.shape.images, self.max_images or self.shape.images)
        test_key, test = "test_size", math.ceil(images * self.test_size)
        if self.split == "official":
            if self.official_test_images is None:
                return "split: expected 'random' where official_test_images is null, got 'official'"
            if self.max_images is not None:
                return f"max_images: expected null with split: official, got {self.max_images}"
            test_key, test = "official_test_images", self.official_test_images
            if test >= images:
                return f"{test_key}: expected fewer than the {images} images, got {test}"
        validation = math.ceil((images - test) * self.validation_size)
        for key, part, size in (
            (test_key, "test", test),
            ("validation_size", "validation", validation),
            ("max_images" if self.max_images else "shape", "train", images - test - validation),
        ):
            if size < self.classes:
                return (
                    f"{key}: expected a split that gives each of the {self.classes} classes "
                    f"an example, got {size} of {images} images in the {part} part"
                )
        if (explained := self.sample.images) > test:
            return f"sample.images: expected at most the {test} test images, got {explained}"
        return None


class Params(Strict):
    """The whole of params.yaml: what all share, and a Dataset for each dataset."""

    runtime: Runtime
    evaluation: Evaluation

    @property
    def datasets(self) -> tuple[str, ...]:
        """Names of the datasets that have a group, sorted."""
        return _present(self, registry.SOURCES)

    def dataset(self, name: str) -> Dataset:
        """The group of this dataset. Raises ParameterError where there is none."""
        return cast(Dataset, _group(self, "dataset", name))

    @classmethod
    def schema_of_all(cls) -> type[Self]:
        """This schema with an optional key for each dataset, and in each for every family."""
        cells: dict[str, Any] = {}
        for name in registry.names(registry.FAMILIES):
            network = registry.member(registry.FAMILIES, name).Network
            cell = create_model(f"{name}.Cell", __base__=Cell, network=(network, ...))
            cells[name] = (cell | None, None)
        methods = registry.package("attribution.methods")
        configurable = {n: m for n, m in methods.METHODS.items() if n not in methods.CONTROLS}
        attribution = create_model(
            "Attribution",
            __base__=Attribution,
            methods=(_options(configurable), ...),
            metrics=(_options(registry.package("attribution.metrics").METRICS), ...),
        )
        dataset = create_model("Dataset", __base__=Dataset, attribution=(attribution, ...), **cells)
        field: Any = (dataset | None, None)
        datasets = dict.fromkeys(registry.names(registry.SOURCES), field)
        return create_model("Params", __base__=cls, **datasets)


def _present(groups: Strict, package: str) -> tuple[str, ...]:
    """The names of the package's modules that these groups have one for, sorted."""
    return tuple(n for n in registry.names(package) if getattr(groups, n, None) is not None)


def _group(groups: Strict, kind: str, name: str) -> Any:
    if (group := getattr(groups, name, None)) is None:
        raise ParameterError(f"params.yaml: expected a group for the {kind} '{name}', got none")
    return group


def _options(members: dict[str, Any]) -> type[Strict]:
    """The schema of a group that may hold, for each method or metric, its options."""
    fields: dict[str, Any] = {n: (member.options | None, None) for n, member in members.items()}
    return create_model("Requested", __base__=Strict, **fields)
