"""explain@D-F: a cell's networks explained on the panel, and the explanations judged."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from glassnets import artefacts, families, runtime
from glassnets.artefacts import Arrays
from glassnets.explanations import CONTROLS, METHODS, Explained
from glassnets.explanations.network import Floats
from glassnets.mirror import cell
from glassnets.mirror.explanation import ExplainedCell
from glassnets.params import Dataset, Evaluation, Explanations, Params
from glassnets.report import drawing, leaderboards
from glassnets.stages.command import run_cell
from glassnets.trust import METRICS, Judged, Scores, verdicts
from glassnets.trust.localization import intervention
from glassnets.trust.metric import Values
from glassnets.trust.randomization import memorise


@dataclass(frozen=True)
class Found:
    """Of one seed's network: its answers to the panel's images (n,), a map of each by each
    method, their scores, and (with planted evidence) what the intervention test showed."""

    answers: NDArray[np.int64]
    maps: dict[str, Floats]
    scores: Scores
    followed: dict[str, Values] | None


def explain(params: Params, dataset: str, family: str) -> None:
    """Explains every network of a cell by every method, and judges the explanations."""
    data, evaluation = params.dataset(dataset), params.evaluation
    settings = data.explanations
    results = artefacts.results(dataset, family)
    train = artefacts.load_arrays(artefacts.part(dataset, "train"))
    test = artefacts.load_arrays(artefacts.part(dataset, "test"))
    panel = artefacts.load_table(artefacts.results(dataset) / "panel.csv")
    shown = _rows(test, panel["index"])
    keys = cell.keys(params, dataset, family)

    runtime.start_tensorflow(params.runtime)
    memorised, known = _memorised(data, family, train)
    network = data.family(family).network
    model, activations = families.build(family, network, data.image_shape, data.classes)
    explained = Explained(model, activations, references=train["images"])
    weights = {seed: artefacts.weights(dataset, family, seed) for seed in data.seeds}
    found = _found(settings, explained, weights, memorised, train, test, shown)

    scores = _stacked([each.scores for each in found])
    leaderboard = verdicts.leaderboard(scores, CONTROLS, settings.max_correlation, evaluation)
    summary: dict[str, Any] = {
        "methods": int((~leaderboard["control"]).sum()),
        "passing": int(leaderboard["passes"].sum()),
        "kendall_tau": verdicts.stability(scores, CONTROLS),
        "memorised": known,
    }
    followed = {s: f.followed for s, f in zip(data.seeds, found, strict=True) if f.followed}
    if followed:
        summary["intervention"] = _intervention(followed, settings, evaluation)
    arrays: Arrays = {
        "seeds": np.array(data.seeds),
        "predictions": np.stack([each.answers for each in found]),
        **{name: shown[name] for name in ("index", "labels", "images")},
        **({"evidence": shown["evidence"]} if "evidence" in shown else {}),
        **{name: np.stack([each.maps[name] for each in found]) for name in found[0].maps},
    }
    judged = ExplainedCell(
        f"{family} on {dataset}",
        verdicts.summaries(scores, evaluation),
        leaderboard,
        _curves(scores),
        arrays,
    )
    names = ("explanations.npz", "trust.json", "explanations.json", "leaderboard.csv", "curves.csv")
    pictures = {"gallery.png": judged.gallery(data.seeds[0]), "leaderboard.png": judged.chart}
    with artefacts.replacing(*(results / name for name in (*names, *pictures))) as paths:
        artefacts.save_arrays(paths[0], judged.arrays)
        artefacts.save_json(paths[1], judged.trust)
        artefacts.save_json(paths[2], summary)
        artefacts.save_table(paths[3], judged.leaderboard)
        artefacts.save_table(paths[4], judged.curves)
        for path, picture in zip(paths[5:], pictures.values(), strict=True):
            path.write_bytes(drawing.png(picture))
    for key in tqdm(keys, desc="logging", unit="seed", disable=None):
        with cell.reopened_run(params, key) as run:
            judged.log(run, key.seed)
    passing = str(summary["passing"]) if summary["passing"] else "none"
    print(
        f"{passing} of {summary['methods']} methods pass; the best is "
        f"{leaderboards.best(leaderboard)}"
    )


def _found(
    settings: Explanations,
    network: Explained,
    weights: dict[int, Path],
    memorised: dict[int, list[NDArray[Any]] | None],
    train: Arrays,
    test: Arrays,
    shown: Arrays,
) -> list[Found]:
    """Explains the shown images with each seed's weights, and judges the maps."""
    chosen = dict.fromkeys(CONTROLS) | settings.chosen(settings.methods)
    methods = {
        name: chosen[name]
        for name, method in METHODS.items()
        if name in chosen and method.is_defined_for(network)
    }
    baselines = {
        name: options.baseline
        for name, options in methods.items()
        if options is not None and hasattr(options, "baseline")
    }
    metrics = settings.chosen(settings.trust)

    def maps_of(name: str, images: Any, targets: Any) -> Any:
        options, draws = methods[name], settings.random_state
        return METHODS[name](network, images, targets, options=options, seed=draws)

    mean_image = train["images"].mean(axis=0, dtype=np.float64).astype(np.float32)
    images = shown["images"].astype(np.float32)
    found = []
    steps = len(weights) * (len(methods) + len(metrics))
    with tqdm(total=steps, desc="explaining", unit="step", disable=None) as bar:
        for seed, path in weights.items():
            artefacts.load_weights(network.model, path)
            answers = families.predict(network.model, shown["images"]).argmax(axis=1)
            targets = answers.astype(np.int32)
            maps = {}
            for name in methods:
                bar.set_postfix(seed=seed, method=name)
                maps[name] = maps_of(name, images, targets)
                bar.update()
            followed, evidence = None, None
            if "evidence" in test:
                followed = _followed(network.model, test)
                # Of what a network takes the cue for when it is wrong, the evidence says nothing.
                counts = (targets == shown["labels"]) & _hangs_on_the_cue(followed, metrics)
                evidence = shown["evidence"] & counts[:, np.newaxis, np.newaxis]
            judged = Judged(
                network=network,
                images=images,
                targets=targets,
                maps=maps,
                explain=maps_of,
                mean_image=mean_image,
                baselines=baselines,
                evidence=evidence,
                memorised=memorised[seed],
            )
            scores: Scores = {name: {} for name in methods}
            for name, options in metrics.items():
                bar.set_postfix(seed=seed, metric=name)
                judgement = METRICS[name](judged, options, settings.random_state + seed)
                for method, figures in judgement.items():
                    scores[method] |= figures
                bar.update()
            found.append(Found(answers, maps, scores, followed))
    return found


def _rows(part: Arrays, index: pd.Series) -> Arrays:
    """The rows of a part that have these places in raw, in this order."""
    rows = pd.Index(part["index"]).get_indexer(pd.Index(index))
    return {name: array[rows] for name, array in part.items()}


def _memorised(
    data: Dataset, family: str, train: Arrays
) -> tuple[dict[int, list[NDArray[Any]] | None], dict[str, float]]:
    """For each seed the weights of a network that knows shuffled labels by heart, None where it
    did not learn them, and the accuracy it reached on them."""
    options = data.explanations.trust.label_randomization
    weights: dict[int, list[NDArray[Any]] | None] = dict.fromkeys(data.seeds)
    reached: dict[str, float] = {}
    if options is None:
        return weights, reached

    def build(seed: int) -> Any:
        runtime.set_seed(seed)
        network = data.family(family).network
        return families.build(family, network, data.image_shape, data.classes)[0]

    learning = memorise(build, data.seeds, train["images"], train["labels"], options.memorising)
    bar = tqdm(data.seeds, desc="memorising", unit="seed", disable=None)
    for seed, (learnt, accuracy) in zip(bar, learning, strict=True):
        reached[f"seed_{seed}"] = accuracy
        if accuracy >= options.memorising.accuracy:
            weights[seed] = learnt
    return weights, reached


def _followed(model: Any, test: Arrays) -> dict[str, Values]:
    """Whether a network's answers hang on the planted cue, image by image."""
    return intervention(
        lambda images: families.predict(model, images).argmax(axis=1),
        *(
            test[name]
            for name in ("images", "labels", "cue_changed", "cue_changed_labels", "rest_changed")
        ),
    )


def _hangs_on_the_cue(followed: dict[str, Values], metrics: dict[str, Any]) -> bool:
    least = metrics["localization"].min_followed if "localization" in metrics else 0
    return all(np.nanmean(scores) >= least for scores in followed.values())


def _intervention(
    followed: dict[int, dict[str, Values]], settings: Explanations, evaluation: Evaluation
) -> dict[str, Any]:
    """What the intervention test showed, and of which seeds localization is withheld."""
    each = list(followed.values())
    scores = {name: np.stack([seed[name] for seed in each]) for name in each[0]}
    metrics = settings.chosen(settings.trust)
    return verdicts.summaries({"network": scores}, evaluation)["network"] | {
        "withheld_seeds": [s for s, f in followed.items() if not _hangs_on_the_cue(f, metrics)]
    }


def _stacked(scores: list[Scores]) -> Scores:
    """Scores of each seed → scores (seeds, …); NaN for a seed that has no such figure."""
    whole: Scores = {}
    for method in scores[0]:
        figures = {figure: values for each in scores for figure, values in each[method].items()}
        whole[method] = {
            figure: np.stack(
                [each[method].get(figure, np.full_like(like, np.nan)) for each in scores]
            )
            for figure, like in figures.items()
        }
    return whole


def _curves(scores: Scores) -> pd.DataFrame:
    """Mean curves over images and seeds, a row a point: method, curve, baseline, fraction (of the
    pixels removed or put back), probability."""
    tables = []
    for method, figures in scores.items():
        for figure, values in figures.items():
            if match := re.fullmatch("(deletion|insertion)_curve_(.+)", figure):
                way, baseline = match.groups()
                mean = values.mean(axis=(0, 1))
                fractions = np.linspace(0, 1, len(mean))
                tables.append(
                    pd.DataFrame(
                        {
                            "method": method,
                            "curve": way,
                            "baseline": baseline,
                            "fraction": fractions,
                            "probability": mean,
                        }
                    )
                )
    return pd.concat(tables, ignore_index=True)


if __name__ == "__main__":
    run_cell(explain)
