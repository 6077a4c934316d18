"""explain@D-F: a cell's networks explained on the panel, and the explanations judged."""

import re
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from tqdm import tqdm

from glassnets import artefacts, families, runtime, tracking
from glassnets.artefacts import Arrays
from glassnets.explanations import CONTROLS, METHODS, Explained
from glassnets.params import Dataset, Evaluation, Params
from glassnets.report import attributions, drawing, leaderboards
from glassnets.stages.command import run_cell
from glassnets.trust import METRICS, Judged, Scores, verdicts
from glassnets.trust.localization import intervention
from glassnets.trust.metric import Values
from glassnets.trust.randomization import memorise


def explain(params: Params, dataset: str, family: str) -> None:
    """Explains every network of a cell by every method, and judges the explanations."""
    data, evaluation = params.dataset(dataset), params.evaluation
    cell, settings, seeds = data.family(family), data.explanations, data.seeds
    results = artefacts.results(dataset, family)
    train = artefacts.load_arrays(artefacts.part(dataset, "train"))
    test = artefacts.load_arrays(artefacts.part(dataset, "test"))
    panel = artefacts.load_table(artefacts.results(dataset) / "panel.csv")
    shown = _rows(test, panel["index"])
    stage_hash = tracking.stage_hash(dataset, family)

    runtime.start_tensorflow(params.runtime)
    memorised, known = _memorised(data, family, train)
    model, activations = families.build(family, cell.network, data.image_shape, data.classes)
    network = Explained(model, activations, references=train["images"])
    chosen = dict.fromkeys(CONTROLS) | settings.chosen(settings.methods)
    methods = {
        name: chosen[name]
        for name, method in METHODS.items()
        if name in chosen and method.is_defined_for(network)
    }
    baselines = {
        name: options.baseline for name, options in methods.items() if hasattr(options, "baseline")
    }
    metrics = settings.chosen(settings.trust)

    def maps_of(name: str, images: Any, targets: Any) -> Any:
        options, draws = methods[name], settings.random_state
        return METHODS[name](network, images, targets, options=options, seed=draws)

    mean_image = train["images"].mean(axis=0, dtype=np.float64).astype(np.float32)
    images = shown["images"].astype(np.float32)
    predictions, maps, scores, followed = [], [], [], []
    steps = len(seeds) * (len(methods) + len(metrics))
    with tqdm(total=steps, desc="explaining", unit="step", disable=None) as bar:
        for seed in seeds:
            artefacts.load_weights(model, artefacts.weights(dataset, family, seed))
            targets = families.predict(model, shown["images"]).argmax(axis=1).astype(np.int32)
            explained = {}
            for name in methods:
                bar.set_postfix(seed=seed, method=name)
                explained[name] = maps_of(name, images, targets)
                bar.update()
            evidence = None
            if "evidence" in test:
                followed.append(_followed(model, test))
                # Of what a network takes the cue for when it is wrong, the evidence says nothing.
                counts = (targets == shown["labels"]) & _hangs_on_the_cue(followed[-1], metrics)
                evidence = shown["evidence"] & counts[:, np.newaxis, np.newaxis]
            judged = Judged(
                network=network,
                images=images,
                targets=targets,
                maps=explained,
                explain=maps_of,
                mean_image=mean_image,
                baselines=baselines,
                evidence=evidence,
                memorised=memorised[seed],
            )
            judgement: Scores = {name: {} for name in methods}
            for name, options in metrics.items():
                bar.set_postfix(seed=seed, metric=name)
                found = METRICS[name](judged, options, settings.random_state + seed)
                for method, figures in found.items():
                    judgement[method] |= figures
                bar.update()
            predictions.append(targets)
            maps.append(explained)
            scores.append(judgement)

    whole = _stacked(scores)
    trust = verdicts.summaries(whole, evaluation)
    leaderboard = verdicts.leaderboard(whole, CONTROLS, settings.max_correlation, evaluation)
    summary: dict[str, Any] = {
        "methods": int((~leaderboard["control"]).sum()),
        "passing": int(leaderboard["passes"].sum()),
        "kendall_tau": verdicts.stability(whole, CONTROLS),
        "memorised": known,
    }
    if followed:
        summary["intervention"] = _intervention(followed, seeds, metrics, evaluation)
    curves = _curves(whole)
    arrays: Arrays = {
        "seeds": np.array(seeds),
        "predictions": np.stack(predictions).astype(np.int64),
        **{name: shown[name] for name in ("index", "labels", "images")},
        **({"evidence": shown["evidence"]} if "evidence" in shown else {}),
        **{name: np.stack([each[name] for each in maps]) for name in methods},
    }
    shown_in_gallery = slice(min(12, len(panel)))
    galleries = [
        attributions.gallery(
            shown["images"][shown_in_gallery],
            {name: each[shown_in_gallery] for name, each in explained.items()},
            shown["labels"][shown_in_gallery],
            answers[shown_in_gallery],
            leaderboard,
            f"{family} on {dataset}, seed {seed}",
            shown["evidence"][shown_in_gallery] if "evidence" in shown else None,
        )
        for seed, explained, answers in zip(seeds, maps, predictions, strict=True)
    ]
    chart = leaderboards.chart(leaderboard, f"{family} on {dataset}")

    histories = artefacts.load_table(results / "history.csv").groupby("seed")
    for i, seed in enumerate(tqdm(seeds, desc="logging", unit="seed", disable=None)):
        artefacts.load_weights(model, artefacts.weights(dataset, family, seed))
        key = tracking.RunKey(dataset, family, seed, stage_hash)
        history = histories.get_group(seed).drop(columns="seed")
        own = _stacked([scores[i]])
        with tracking.reopened_run(key, cell.model_dump(), train, history, model) as run:
            run.log_metrics(
                {
                    f"trust/{method}/{figure}": summary["mean"]
                    for method, figures in verdicts.summaries(own, evaluation).items()
                    for figure, summary in figures.items()
                }
            )
            run.log_table(leaderboard, "leaderboard")
            run.log_figure(galleries[i], "gallery")
            run.log_figure(chart, "leaderboard")
            for baseline in curves["baseline"].unique():
                title = f"{family} on {dataset}, all seeds, removed: {baseline}"
                figure = leaderboards.curves(curves, baseline, leaderboard, title)
                run.log_figure(figure, f"curves_{baseline}")

    names = ("explanations.npz", "trust.json", "explanations.json", "leaderboard.csv", "curves.csv")
    pictures = {"gallery.png": galleries[0], "leaderboard.png": chart}
    with artefacts.replacing(*(results / name for name in (*names, *pictures))) as paths:
        artefacts.save_arrays(paths[0], arrays)
        artefacts.save_json(paths[1], trust)
        artefacts.save_json(paths[2], summary)
        artefacts.save_table(paths[3], leaderboard)
        artefacts.save_table(paths[4], curves)
        for path, picture in zip(paths[5:], pictures.values(), strict=True):
            path.write_bytes(drawing.png(picture))
    best = leaderboards.best(leaderboard)
    print(
        f"{summary['passing']} of {summary['methods']} methods pass; the best is {best}"
        if summary["passing"]
        else f"none of {summary['methods']} methods passes; the best is {best}"
    )


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
    followed: list[dict[str, Values]],
    seeds: Sequence[int],
    metrics: dict[str, Any],
    evaluation: Evaluation,
) -> dict[str, Any]:
    """What the intervention test showed, and of which seeds localization is withheld."""
    scores = {name: np.stack([each[name] for each in followed]) for name in followed[0]}
    withheld = [
        s for s, f in zip(seeds, followed, strict=True) if not _hangs_on_the_cue(f, metrics)
    ]
    return verdicts.summaries({"network": scores}, evaluation)["network"] | {
        "withheld_seeds": withheld
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
