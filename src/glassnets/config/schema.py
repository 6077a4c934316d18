"""The schema of params.yaml, its defaults merged in and its presets resolved by `loading`.

Each family's ``Network`` is in the family's file, each method's and metric's options beside it.
"""

import math
from collections.abc import Iterable
from typing import Annotated, Any, Literal, Self, cast

from pydantic import BaseModel, ConfigDict, Field, SerializeAsAny, create_model

from glassnets import registry
from glassnets.errors import ParameterError

Positive = Annotated[int, Field(gt=0, le=1_000_000)]
Fraction = Annotated[float, Field(ge=0, lt=1)]
ProperFraction = Annotated[float, Field(gt=0, lt=1)]
Rate = Annotated[float, Field(gt=0, le=10)]
Level = Annotated[float, Field(ge=0, le=127)]  # in units of pixels, which are 0…255
Rates = Annotated[tuple[Rate, ...], Field(min_length=1)]
Variances = Annotated[tuple[Annotated[float, Field(gt=0, le=1e6)], ...], Field(min_length=1)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Sha256 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Shape = tuple[int, int]  # height, width of the grid of players: of an image, in pixels
InputShape = tuple[int, ...]  # a Shape, and the channels of a player where it has them
Kind = Literal["image", "table", "series"]
Name = Annotated[str, Field(pattern="^[a-z][a-z0-9_]{0,63}$")]
Cells = dict[str, dict[str, str]]  # by "<dataset>-<family>", its dataset and its family
Text = Annotated[str, Field(min_length=1, max_length=1000)]
Statement = Annotated[str, Field(min_length=1, max_length=4000)] | None
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


class Elastic(Strict):
    """How pixels of a training image are displaced: see `models.augmentation.displacements`."""

    alpha: Annotated[float, Field(ge=0, le=1000)]  # of the displacements, before smoothing; pixels
    sigma: Annotated[float, Field(gt=0, le=100)]  # of the Gaussian that smooths them; pixels


class Augmentation(Strict):
    """Largest random affine change of a training image, each drawn uniformly in ± its value; and
    elastic deformation."""

    rotation: Annotated[float, Field(ge=0, le=180)]  # degrees
    scale: Fraction  # of the size
    shear: Fraction  # horizontal shift of a row per row of distance from the centre
    shift: Fraction  # of height and of width
    ramp_epochs: Annotated[float, Field(ge=0)] = 0.0  # over which the changed share of images grows
    elastic: Elastic | None = None


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
    # balanced: in the loss, every class weighs the same, however many examples it has.
    class_weight: Literal["balanced"] | None = None

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


class Baselines(Strict):
    """What classifiers that are no networks learn from: see `evaluation.baselines`."""

    images: Positive  # at most, drawn from the training part
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
        if self.patch_size >= min((side for side in image_shape if side > 1), default=1):
            return (
                f"patch_size: expected less than a side of images of {image_shape[0]}×"
                f"{image_shape[1]}, got {self.patch_size}"
            )
        if problem := self.training.problem():
            return f"training.{problem}"
        return None


class LearningRules(Strict):
    """Networks of dense layers that learn by backpropagation and by other rules: see
    `learning.rules`."""

    images: Positive  # of the training part, at most
    units: Annotated[tuple[Positive, ...], Field(min_length=1)]  # of each hidden layer
    training: Training
    factors: Annotated[tuple[Rate, ...], Field(min_length=1)]  # of the learning rate, for each rule
    explained: Positive  # test images whose explanations are judged
    methods: Annotated[tuple[Text, ...], Field(min_length=1)]  # that explain them


class FlowVariances(Strict):
    """σ_w² of weights N(0, σ_w²/inputs), of each activation."""

    sigmoid: Variances
    tanh: Variances
    relu: Variances


class FlowTraining(Strict):
    steps: Positive
    rates: Rates  # of which each network gets the one that lowers its loss most


class FlowCells(Strict):
    """Recurrent cells, given an image piece by piece."""

    steps: Annotated[int, Field(ge=2, le=1000)]  # at most
    units: Positive
    plain: Variances  # σ_w² of tanh cells
    lstm: Annotated[  # biases of the forget gate
        tuple[Annotated[float, Field(ge=-10, le=10)], ...], Field(min_length=1)
    ]


class GradientFlow(Strict):
    """Deep networks and recurrent cells, in which δ is measured: see `learning.gradient_flow`."""

    images: Positive
    depth: Annotated[int, Field(ge=2, le=1000)]  # hidden layers
    width: Positive  # of each
    variances: FlowVariances
    batch_size: Positive
    training: FlowTraining  # after which δ is measured again
    cells: FlowCells


class Doubled(Strict):
    """Rates from the lowest to the highest, each twice the one before."""

    lowest: Rate
    highest: Rate


class GradientNoise(Strict):
    images: Annotated[int, Field(ge=4, le=1_000_000)]  # whose gradients are averaged
    draws: Annotated[int, Field(ge=2, le=1_000_000)]  # of batches, of each size


class BatchSize(Strict):
    """Descent in batches of several sizes: see `learning.batch_size`."""

    images: Positive  # of the training part, at most
    validation_images: Positive  # at most
    units: Positive  # of the hidden layer
    sizes: Annotated[tuple[Positive, ...], Field(min_length=1)]  # and all images
    rates: Doubled
    loss: Annotated[float, Field(gt=0, le=10)]  # of validation images, at which descent stops
    epochs: Positive  # at most
    noise: GradientNoise


class SharpNetwork(Strict):
    """A network whose sharpness is followed under full-batch descent."""

    units: Annotated[tuple[Positive, ...], Field(min_length=1)]  # of hidden layers
    variance: Annotated[float, Field(gt=0, le=1e6)]  # σ_w² of its weights at the start
    rates: Rates


class LearningRate(Strict):
    """How large a step may be: see `learning.learning_rate`."""

    images: Positive
    steps: Annotated[int, Field(ge=2, le=1_000_000)]  # of descent of the linear model
    bisections: Annotated[int, Field(gt=0, le=60)]
    network: SharpNetwork
    network_steps: Positive
    every: Positive  # so many steps, sharpness is measured


class SmallTraining(Strict):
    rate: Rate
    batch_size: Positive
    updates: Positive  # of each network of a learning curve


class Shifted(Strict):
    epochs: Positive
    shift: Annotated[int, Field(ge=0, le=1000)]  # of an image, in pixels


class ShuffledLabels(Strict):
    images: Positive
    epochs: Positive


class RandomFeatures(Strict):
    images: Annotated[int, Field(ge=10, le=10_000)]  # n, of the training part
    ridge: Annotated[float, Field(gt=0)]


class Overfitting(Strict):
    """What a network learns by heart: see `learning.overfitting`."""

    images: Positive  # of the training part, at most
    test_images: Positive  # at most
    units: Positive  # of the hidden layer
    training: SmallTraining
    augmented: Shifted
    fewest: Positive  # images of a learning curve, doubled until there are no more
    shuffled: ShuffledLabels
    regression: RandomFeatures


class Backpropagation(Strict):
    """Gradients by hand against finite differences: see `learning.backpropagation`."""

    images: Positive
    units: Annotated[tuple[Positive, ...], Field(min_length=1)]  # of hidden layers
    parameters: Positive  # at most, whose derivatives are compared


class Dynamics(Strict):
    """How networks learn, on small ones of its own: see `learning`."""

    seeds: Annotated[tuple[Seed, ...], Field(min_length=2, max_length=1000)]
    tuning_seed: Seed  # on which rates are chosen
    gradient_flow: GradientFlow
    batch_size: BatchSize
    learning_rate: LearningRate
    overfitting: Overfitting
    backpropagation: Backpropagation

    def problem(self) -> str | None:
        """``"key: what is wrong with it"``, None if nothing is."""
        if len(set(self.seeds)) < len(self.seeds):
            return f"seeds: expected different seeds, got {list(self.seeds)}"
        if self.tuning_seed in self.seeds:
            return f"tuning_seed: expected none of the seeds, got {self.tuning_seed}"
        if self.batch_size.rates.lowest > self.batch_size.rates.highest:
            rates = self.batch_size.rates
            return (
                f"batch_size.rates: expected lowest at most highest, got {rates.lowest}, "
                f"{rates.highest}"
            )
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


class Probe(Strict):
    """How the units of networks are looked at: see `representations.units`."""

    images: Positive  # of the test part, at most
    gram_images: Annotated[int, Field(ge=20, le=2000)]  # of these, at most, to compare layers by
    permutations: Annotated[int, Field(ge=19, le=10_000)]  # of the labels, for what chance gives
    noise_images: Positive  # for receptive fields,
    noise: Annotated[float, Field(gt=0, le=127)]  # and their standard deviation, in 0…255
    random_state: Seed


class Lesion(Strict):
    """How units are silenced: see `representations.lesions`."""

    images: Positive  # of the test part, at most; none that is probed, where there are enough
    units: Positive  # of a layer, at most, each of which is silenced alone
    steps: Annotated[int, Field(gt=0, le=1000)]  # from no unit of a layer to all
    random_orders: Annotated[int, Field(gt=0, le=1000)]
    random_state: Seed


class Similarity(Strict):
    """How representations are compared: see `representations.similarity`."""

    blocks: Annotated[int, Field(ge=5, le=1000)]  # of images, for the jackknife
    shuffles: Annotated[int, Field(ge=19, le=10_000)]  # of the images, for what chance gives
    random_state: Seed


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
    """Of a dataset's raw images; height and width in pixels. A row of a table is an image of height
    1 whose pixels are its columns, a series one whose pixels are its steps: see `data`."""

    images: Positive
    height: Positive
    width: Positive
    channels: Positive | None = None  # of a pixel; null: grey


class Source(Strict):
    """A person's own data: where they lie, and how they are read."""

    kind: Kind
    path: Text  # of a file or a folder; relative to the project's folder, or absolute
    label: Text | None = None  # the column of labels; null: folders, or the array ``labels``
    # Of a table, in order: a column of numbers, or the levels of a category; of a table of series,
    # the columns of values.
    columns: dict[Text, Literal["number"] | tuple[Text, ...]] | None = None
    case: Text | None = None  # of a table of series: the column that says which one a row is of
    time: Text | None = None  # the column of times: of a series' steps, or for split: by_time
    group: Text | None = None  # the column of groups, for split: grouped
    masked: bool = False  # series: whether lengths differ, which a last channel then says
    file: Text | None = None  # of a table of pictures: the column of the names of their files
    size: Annotated[str, Field(pattern="^[0-9]+x[0-9]+$")] | None = (
        None  # of pictures: HEIGHTxWIDTH
    )


class Datasheet(Strict):
    """What only the person who has the data knows of them: the questions of Gebru et al. (2021),
    "Datasheets for datasets". null: not stated."""

    motivation: Statement = None
    composition: Statement = None
    people: Statement = None
    collection: Statement = None
    labelling: Statement = None
    preprocessing: Statement = None
    uses: Statement = None
    licence: Statement = None
    maintenance: Statement = None


class Hashes(Strict):
    """sha256 of a dataset's raw arrays."""

    images: Sha256
    labels: Sha256


class Dataset(Strict):
    """One dataset: what it must be, how it is split, its seeds, and a Cell for each family."""

    source: Source | None = None  # of a person's own data; the others have a module
    datasheet: Datasheet | None = None  # of a person's own data
    shape: ArrayShape
    classes: Annotated[int, Field(ge=2, le=255)]
    class_names: tuple[Text, ...] | None = None  # null: their numbers
    sha256: Hashes | None = None  # of a dataset that is planted, its source's are pinned
    planting: Planting | None = None
    split: Literal["random", "official", "grouped", "by_time"]
    official_test_images: Positive | None = None
    test_size: ProperFraction
    validation_size: ProperFraction
    random_state: Seed
    stratify: bool
    max_images: Positive | None = None
    seeds: Annotated[tuple[Seed, ...], Field(min_length=1, max_length=1000)]
    sample: Sample
    baselines: Baselines
    memorise: Memorise
    additive: Additive
    learning_rules: LearningRules
    shortcut: Shortcut | None = None
    dynamics: Dynamics
    probe: Probe
    lesion: Lesion
    similarity: Similarity
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

    @property
    def input_shape(self) -> InputShape:
        """(height, width), or (height, width, channels) where a pixel has channels."""
        channels = self.shape.channels
        return self.image_shape if channels is None else (*self.image_shape, channels)

    @property
    def masked(self) -> bool:
        """Whether the last channel says where a series has a step: its lengths differ."""
        return self.source is not None and self.source.masked

    @property
    def own(self) -> bool:
        """Whether it is a person's own data."""
        return self.source is not None

    @property
    def column_names(self) -> tuple[str, ...]:
        """Of a table."""
        return tuple((self.source and self.source.columns) or ())

    @property
    def kind(self) -> Kind:
        return "image" if self.source is None else self.source.kind

    def family(self, name: str) -> Cell:
        """The cell of this family. Raises ParameterError where the dataset has none."""
        return cast(Cell, _group(self, "family", name))

    def problem(self) -> str | None:
        """``"key: what is wrong with it"``, None if nothing is."""
        if len(set(self.seeds)) < len(self.seeds):
            return f"seeds: expected different seeds, got {list(self.seeds)}"
        if self.class_names is not None and len(set(self.class_names)) != self.classes:
            return (
                f"class_names: expected {self.classes} different names, got {len(self.class_names)}"
            )
        columns = self.source.columns if self.source else None
        if self.kind == "table" and len(columns or ()) != self.shape.width:
            return f"source.columns: expected {self.shape.width} columns, got {len(columns or ())}"
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
        named = {"grouped": "group", "by_time": "time"}.get(self.split)
        if named is not None and getattr(self.source, named, None) is None:
            return f"split: expected 'random' where source.{named} is null, got '{self.split}'"
        if named is not None:  # the sizes of groups, and of ties, decide those of the parts
            return None
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
    datasets: Annotated[tuple[Name, ...], Field(min_length=1)]  # those that have a group
    cells: Cells  # of every dataset, those that have a group
    shortcut_cells: Cells  # of these, where the dataset has a shortcut
    studied_datasets: tuple[Name, ...]  # of images, whose networks and learning are studied
    studied_cells: Cells  # theirs
    sources: dict[Name, Text]  # of each dataset, the file or folder that its data come from

    def dataset(self, name: str) -> Dataset:
        """The group of this dataset. Raises ParameterError where there is none."""
        return cast(Dataset, _group(self, "dataset", name))

    @classmethod
    def schema_of_all(cls, datasets: Iterable[str]) -> type[Self]:
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
        return create_model("Params", __base__=cls, **dict.fromkeys(datasets, field))


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
