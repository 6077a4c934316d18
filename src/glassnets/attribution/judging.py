"""Which explanations of a model can be believed: `judge`, for a model that any library trained.

    from glassnets.attribution import judge
    judged = judge(model, test_images, test_labels, train_images, train_labels)
    print(judged)
    maps = judged.explain(test_images[:3])

The methods, metrics and verdicts are those of the pipeline. What they need and one model has not
(weights to draw anew, networks of other seeds, one that memorised shuffled labels) is not tested,
is said so, and never counts as passed: a verdict that wants such a test is undecided at best.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, get_args

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from glassnets.attribution import arguments, defaults, outcome, specificity, verdicts
from glassnets.attribution.function import Outputs
from glassnets.attribution.layout import Layout, layout
from glassnets.attribution.memorised import memorised
from glassnets.attribution.methods import Variant, requested_variants, variants
from glassnets.attribution.metrics import METRICS, Judged, Scores
from glassnets.attribution.metrics.metric import NETWORK
from glassnets.attribution.network import Explained, Floats
from glassnets.attribution.subjects import explained
from glassnets.config.schema import Attribution, Evaluation, Kind, Reference, Verdict, requested
from glassnets.errors import GlassnetsError, ParameterError

Arrays = dict[str, NDArray[Any]]

_LEAST_OF_SCALE = 0.02  # that images take, below which it is doubted
# What a test needs that a model alone may not have.
_LACKS = dict.fromkeys(verdicts.TESTS, "scores") | {
    "parameter randomization": "weights to draw anew",
    "label randomization": "a network that memorised shuffled labels",
    verdicts.SPECIFIC: "models trained alike with other seeds",
    verdicts.IMAGE: "two inputs of the same prediction",
}


@dataclass(frozen=True, eq=False)
class JudgedModel:
    """What `judge` says of a model.

    judgement: the verdicts and what they rest on; its board has a row a variant (a method with its
    reference), by rank, the controls last: see `verdicts.judgement`.
    supported: the variants that pass every test that could be made, the best first.
    summary, tables: see `outcome`; what is to be believed first is chosen among the supported.
    attributions: ``index`` (n,), the places of the explained inputs among those given, ``images``,
    ``labels`` where they are known, ``seeds``, ``predictions`` (1, n), and under the name of each
    variant its maps float32 (1, n, h, w).
    notes: what was found, assumed and left out, a sentence each.
    warnings: what makes it doubtful that the model was given what it takes, a sentence each.
    made, not_made: the tests of verdicts that could be made, and those that could not, with what
    each lacks.
    accuracy: of the explained inputs, None without labels.
    """

    judgement: verdicts.Judgement
    supported: tuple[str, ...]
    summary: dict[str, Any]
    tables: dict[str, pd.DataFrame]
    attributions: Arrays
    notes: tuple[str, ...]
    warnings: tuple[str, ...]
    made: tuple[str, ...]
    not_made: dict[str, str]
    accuracy: float | None
    class_names: tuple[str, ...]
    column_names: tuple[str, ...] | None
    evaluation: Evaluation
    thresholds: Verdict
    network: Explained
    layout: Layout
    variants: dict[str, Variant]
    seed: int

    @property
    def board(self) -> pd.DataFrame:
        """A row a variant, by rank, the controls last: see `verdicts.judgement`."""
        return self.judgement.board

    @property
    def kind(self) -> Kind:
        return self.layout.kind

    @property
    def best(self) -> str:
        """The variant to be believed first, or else the best supported."""
        first = [*self.summary["believe_first"], *self.supported]
        return first[0] if first else verdicts.best(self.board)

    def explain(
        self, inputs: NDArray[Any], variant: str | None = None, targets: Any = None
    ) -> Floats:
        """Maps float32 (n, h, w) of inputs, as they were given to `judge`, by a variant, by default
        the best; of the classes targets (n,), by default those that the model predicts."""
        name = variant or self.best
        if name not in self.variants:
            raise ParameterError(
                f"variant: expected one of {', '.join(self.variants)}, got {name!r}"
            )
        grid = self.layout.to_grid(arguments.numbers("inputs", inputs)).astype(np.float32)
        if targets is None:
            targets = self.network.outputs(grid).argmax(axis=1)
        return self.variants[name](self.network, grid, np.asarray(targets), seed=self.seed)

    def __str__(self) -> str:
        return "\n".join([*(f"Warning: {each}." for each in self.warnings), *self.conclusions()])

    def conclusions(self) -> list[str]:
        """What could not be tested, if so; what can be believed; how many verdicts hold."""
        first, count = self.summary["believe_first"], len(self.made)
        every = f"{count} of {count + len(self.not_made)} tests"
        lines = []
        if self.not_made:
            lacks = "; ".join(f"{test}, for want of {lack}" for test, lack in self.not_made.items())
            lines.append(f"No verdict holds, since not all could be tested: {lacks}.")
        if first:
            rest = len(self.supported) - len(first)
            above = f"; none of the other {rest} that pass is shown to score above" if rest else ""
            lines.append(
                f"Believe first: {', '.join(first)}, of the {len(self.supported)} of "
                f"{self.summary['methods']} variants that pass all tests that could be made "
                f"({every}){above}."
            )
        elif self.supported:
            lines.append(
                f"Of {self.summary['methods']} variants {len(self.supported)} pass all tests that "
                f"could be made ({every}). Which to believe first depends on what takes the place "
                "of absent values: see the page's first table, or first_by_removal of the summary. "
                f"If no row there is your question: {self.best}, the first by score over all rows."
            )
        else:
            best = self.board.set_index("method").loc[verdicts.best(self.board)]
            lines.append(
                f"No variant of {self.summary['methods']} passes all tests that could be made "
                f"({every}); the nearest is {best.name} ({best['reasons']})."
            )
        failed = int((self.board["verdict"] == verdicts.FAILS).sum())
        lines.append(
            f"Verdicts that hold: {self.summary[verdicts.HOLDS]}; undecided: "
            f"{self.summary[verdicts.UNDECIDED]}; that fail: {failed}."
        )
        return lines


def judge(
    model: Any,
    images: NDArray[Any],
    labels: Sequence[Any] | NDArray[Any] | None = None,
    train_images: NDArray[Any] | None = None,
    train_labels: Sequence[Any] | NDArray[Any] | None = None,
    *,
    kind: Kind | None = None,
    class_names: Sequence[str] | None = None,
    column_names: Sequence[str] | None = None,
    returns: Outputs = "probabilities",
    scale: tuple[float, float] | None = None,
    masked: bool = False,
    others: Sequence[Any] = (),
    sample: int = 100,
    methods: Sequence[str] | None = None,
    references: Sequence[Reference] | None = None,
    memorise: int = 200,
    clip: float | None = None,
    batch_size: int | None = None,
    seed: int = 0,
    progress: bool = False,
) -> JudgedModel:
    """Explains a model's predictions by every method that is defined for it, judges the maps by
    every metric that is, and says which can be believed.

    model: a Keras model of layers, to logits, or ending in softmax, log-softmax or a sigmoid of one
    unit, which are looked through; or a function from inputs, an array of the shape of images, to
    probabilities (m, classes), or (m,) of the second of two classes: scikit-learn's
    ``predict_proba``, PyTorch, ONNX Runtime, a remote service. A function gets float32 arrays, at
    most batch_size inputs at once (None: some thousand), and is explained by the methods that need
    no gradient, which call it some thousand times an input.
    images: what to explain: images (n, h, w) or (n, h, w, channels), rows of a table (n, columns),
    series (n, steps) or (n, steps, channels), numbers without NaN. At most ``sample`` of them are
    drawn by the seed.
    labels: their classes (n,), numbers from 0 or class_names, for the accuracy; may be absent.
    train_images, train_labels: training data, from which references and controls are taken. None
    takes the images that are not explained.
    kind: image, table or series; None is a table for (n, columns) and else an image.
    class_names, column_names: for pages and pictures.
    returns: whether a function gives probabilities or logits; of a Keras model it is seen.
    scale: the levels of black and white that the model takes, as (0, 1). None reads them off the
    images; uint8 images are brought to the scale.
    masked: whether a series' last channel is 1 in its steps and 0 where it is padded.
    others: models or functions of the same kind trained alike with other seeds, without which it
    cannot be tested whether maps are specific to the model.
    memorise: how many shuffled labels a network of a Keras model's layers learns, against which the
    test label randomization is made; 0 leaves it out, which saves the training.
    methods, references: those alone; None is all that are defined.
    clip: probabilities are explained by their log-odds, log p/(1 − p), with p within clip and
    1 − clip, since certainty has infinite ones; None is 1e-6 for float32 and 1e-12 for float64, and
    half of the smallest doubt of a model that is certain of some inputs, as votes are. See
    `function`.
    progress: whether a bar shows it on standard error.

    A Keras model's weights are changed while it works, and are as before when it ends. Raises
    GlassnetsError where the model does not take the images, or gives no logits or probabilities,
    and ParameterError where an argument is not as said here.
    """
    images = arguments.numbers("images", images)
    kind = kind or ("table" if images.ndim == 2 else "image")
    for name, value, known in (("kind", kind, Kind), ("returns", returns, Outputs)):
        if value not in get_args(known):
            raise ParameterError(
                f"{name}: expected one of {', '.join(get_args(known))}, got {value!r}"
            )
    for name, number in (("seed", seed), ("memorise", memorise)):
        if not 0 <= number < 2**32:
            raise ParameterError(f"{name}: expected a whole number from 0 on, got {number}")
    if clip is not None and not 0 < clip < 0.5:
        raise ParameterError(f"clip: expected a number above 0 and below 0.5, got {clip:g}")
    how, levels = layout(images, kind, scale)
    notes = [levels] if levels else []
    drawn = arguments.drawn(how, images, labels, train_images, train_labels, sample, seed, notes)
    reading: Any = {"clip": clip, "batch_size": batch_size, "masked": masked, "returns": returns}
    network = explained(model, how, drawn, notes, **reading)
    warnings: list[str] = []
    drawn, names = arguments.numbered(drawn, network.classes, class_names, notes, warnings)
    network = replace(network, labels=drawn.reference_labels)
    columns = arguments.named("column_names", column_names, network.image_shape[1])
    settings = defaults.settings(
        kind,
        network.image_shape,
        methods=None if methods is None else tuple(methods),
        references=None if references is None else tuple(references),
        function=network.model is None,
        seed=seed,
    )
    defined = requested_variants(settings, network)
    notes += _undefined(settings, network)
    rivals = [
        replace(explained(other, how, drawn, [], **reading), labels=drawn.reference_labels)
        for other in others
    ]
    if any(rival.classes != network.classes for rival in rivals):
        raise ParameterError(f"others: expected models of {network.classes} classes like the model")
    outputs = [each.outputs(drawn.images.astype(np.float32)) for each in (network, *rivals)]
    if any(np.array_equal(one, another) for one, another in combinations(outputs, 2)):
        raise ParameterError(
            "others: expected models trained alike with other seeds, got two that predict the same "
            "of every input: the model itself, or inputs of another scale than in training"
        )
    predictions = outputs[0].argmax(axis=1).astype(np.int32)
    accuracy = None if drawn.labels is None else float((drawn.labels == predictions).mean())
    notes += _about(predictions, accuracy)
    warnings += _doubts(drawn, accuracy, how)
    maps, scores, of_network = _judged(
        network, rivals, drawn, predictions, defined, settings, memorise, progress, notes
    )
    arrays: Arrays = {
        **{"index": drawn.index, "images": drawn.images, "seeds": np.zeros(1, np.int64)},
        **({} if drawn.labels is None else {"labels": drawn.labels}),
        "predictions": predictions[np.newaxis],
        **{name: own[np.newaxis] for name, own in maps.items()},
    }
    options: Any = requested(settings.metrics)["faithfulness_correlation"]
    drops = specificity.drops_of(of_network)
    for name, own in specificity.of_other_images(arrays, drops, options, seed).items():
        scores[name] |= {
            f"faithfulness_correlation_{removal}{verdicts.OF_OTHER_IMAGES}": values
            for removal, values in own.items()
        }
    controls = [name for name, variant in defined.items() if variant.control]
    evaluation, thresholds = defaults.EVALUATION, defaults.THRESHOLDS
    made = verdicts.judgement(scores, controls, thresholds, evaluation)
    passed = _passing(made.tests)
    held = made.board["verdict"].mask(made.board["method"].isin(passed), verdicts.HOLDS)
    support = made.board.assign(verdict=held)
    tests = [test for test in verdicts.TESTS if test in set(made.tests["test"])]
    return JudgedModel(
        judgement=made,
        supported=tuple(name for name in made.board["method"] if name in passed),
        summary=outcome.summary(scores, controls, made, evaluation, support),
        tables=dict(outcome.tables(scores, controls, made, settings.references, evaluation)),
        attributions=arrays,
        notes=tuple(notes),
        warnings=tuple(warnings),
        made=tuple(tests),
        not_made={test: _LACKS[test] for test in verdicts.TESTS if test not in tests},
        accuracy=accuracy,
        class_names=names,
        column_names=columns,
        evaluation=evaluation,
        thresholds=thresholds,
        network=network,
        layout=how,
        variants=defined,
        seed=seed,
    )


# What is said


def _undefined(settings: Attribution, network: Explained) -> list[str]:
    """The methods that are not defined for the network, by what they need."""
    each = variants(settings)
    defined = {v.method.name for v in each.values() if v.lacks(network) is None}
    missing: dict[str, list[str]] = {}
    for variant in each.values():
        if lack := variant.lacks(network):
            whole = variant.method.name not in defined
            missing.setdefault(lack, []).append(variant.method.name if whole else variant.name)
    return [
        f"not defined: {', '.join(dict.fromkeys(names))}, for want of {lack}"
        for lack, names in missing.items()
    ]


def _doubts(data: arguments.Data, accuracy: float | None, how: Layout) -> list[str]:
    """What makes it doubtful that the model was given what it takes: levels that are but a small
    part of an image's scale, no more right predictions than by the most frequent class."""
    doubts = []
    share = np.ptp(data.images) / 255
    if how.kind == "image" and share < _LEAST_OF_SCALE:
        low, high = how.levels
        doubts.append(
            f"the images take {100 * share:.2g} % of the scale, {low:g} to {high:g}: check that it "
            "is that of the model's training"
        )
    if data.labels is None or accuracy is None:
        return doubts
    frequent = np.bincount(data.labels).max() / len(data.labels)
    if accuracy <= frequent:
        usual = ", pixels 0 to 1, -1 to 1 or 0 to 255 (scale)" if how.kind == "image" else ""
        doubts.append(
            f"the model is right on {100 * accuracy:.1f} % of what is explained, and the most "
            f"frequent class alone would be on {100 * frequent:.1f} %: check first that the inputs "
            f"have the scale of its training{usual}, then the order of classes"
        )
    return doubts


def _about(predictions: NDArray[Any], accuracy: float | None) -> list[str]:
    """What the predictions say of whether the model was read as it is meant."""
    notes = []
    if accuracy is not None:
        notes.append(f"accuracy on what is explained: {100 * accuracy:.1f} %")
    if len(np.unique(predictions)) == 1:
        notes.append(f"all are predicted to be class {predictions[0]}")
    return notes


# Maps and scores


def _judged(
    network: Explained,
    rivals: Sequence[Explained],
    data: arguments.Data,
    predictions: NDArray[np.int32],
    defined: dict[str, Variant],
    settings: Attribution,
    memorise: int,
    progress: bool,
    notes: list[str],
) -> tuple[dict[str, Floats], Scores, dict[str, Any]]:
    """Maps by variant; scores (1, n), as `verdicts` has them; those of the network itself."""
    seed, images = settings.random_state, data.images.astype(np.float32)
    metrics = requested(settings.metrics)
    steps = len(defined) * (1 + len(rivals)) + len(metrics)
    with tqdm(total=steps, desc="judging", disable=None if progress else True) as bar:

        def maps_of(each: Explained, names: Iterable[str]) -> dict[str, Floats]:
            maps = {}
            for name in names:
                bar.set_postfix_str(name)
                maps[name] = defined[name](each, images, predictions, seed=seed)
                bar.update()
            return maps

        maps = maps_of(network, defined)
        methods = [name for name, variant in defined.items() if not variant.control]
        elsewhere = []
        for rival in rivals:
            same = rival.outputs(images).argmax(axis=1) == predictions
            own = maps_of(rival, methods)
            elsewhere.append(
                {n: np.where(same[:, np.newaxis, np.newaxis], own[n], np.nan) for n in methods}
            )
        bar.set_postfix_str("memorising shuffled labels")
        judged = Judged(
            memorised=_memorised(network, memorise, seed, notes),
            network=network,
            images=images,
            targets=predictions,
            maps=maps,
            attribute=lambda name, inputs, targets: defined[name](
                network, inputs, targets, seed=seed
            ),
            noise=settings.removal.noise,
            variants=defined,
            seed=seed,
            others={n: np.stack([own[n] for own in elsewhere]) for n in methods if elsewhere},
        )
        scores: Scores = {name: {} for name in (*defined, NETWORK)}
        for metric, options in metrics.items():
            bar.set_postfix_str(metric)
            for name, own_scores in _scored(metric, judged, options, seed, notes).items():
                scores[name] |= {score: each[np.newaxis] for score, each in own_scores.items()}
            bar.update()
    return maps, scores, scores.pop(NETWORK)


def _memorised(
    network: Explained, images: int, seed: int, notes: list[str]
) -> list[NDArray[Any]] | None:
    """The weights of a network that memorised shuffled labels, None where there is none."""
    if network.model is None or network.labels is None or not images:
        return None
    try:
        weights, accuracy = memorised(network, images, seed)
    except _NOT_REDRAWN as error:
        notes.append(f"no network memorises shuffled labels: {_first_line(error)}")
        return None
    count = min(images, len(network.labels))
    did, more = (
        ("memorised", "") if weights is not None else ("did not memorise", ": ask for fewer")
    )
    notes.append(
        f"a network of the same layers {did} {count} shuffled labels ({100 * accuracy:.0f} %){more}"
    )
    return weights


# What layers raise that cannot be built anew from their configuration.
_NOT_REDRAWN = (GlassnetsError, TypeError, ValueError, AttributeError, NotImplementedError)


def _first_line(error: Exception) -> str:
    return " ".join(str(error).split())[:200]


def _scored(metric: str, judged: Judged, options: Any, seed: int, notes: list[str]) -> Scores:
    """A metric's scores; none of the one that draws weights anew, where layers do not let it."""
    if metric != "parameter_randomization":
        return METRICS[metric](judged, options, seed)
    try:
        return METRICS[metric](judged, options, seed)
    except _NOT_REDRAWN as error:
        notes.append(f"the model's weights cannot be drawn anew: {_first_line(error)}")
        return {}


def _passing(tests: pd.DataFrame) -> set[str]:
    """The variants that pass every test that was made of any."""
    made = tests["test"].nunique()
    held = tests[tests["value"] == verdicts.HOLDS].groupby("method")["test"].nunique()
    return set(held[held == made].index)
