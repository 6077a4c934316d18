"""``judge@D-F``: every metric's score of every image, method and network of a cell."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from tqdm import tqdm

from glassnets import runtime
from glassnets.attribution.methods import Variant, requested_variants
from glassnets.attribution.metrics import METRICS, Judged, Scores
from glassnets.attribution.metrics.localization import intervention
from glassnets.attribution.metrics.metric import NETWORK
from glassnets.config.schema import Params, requested
from glassnets.data import Arrays
from glassnets.models import families
from glassnets.pipeline import artefacts
from glassnets.pipeline.explained import explained
from glassnets.pipeline.stages.command import run_cell


def judge(params: Params, dataset: str, family: str) -> None:
    """Scores the attributions of every network of a cell by every metric."""
    data = params.dataset(dataset)
    settings = data.attribution
    train = artefacts.load_arrays(artefacts.part(dataset, "train"))
    test = artefacts.load_arrays(artefacts.part(dataset, "test"))
    arrays = artefacts.load_arrays(artefacts.attributions(dataset, family))
    metrics = requested(settings.metrics)

    runtime.start_tensorflow(params.runtime)
    network = explained(data, family, train)
    model = network.model
    variants = requested_variants(settings, network)
    controls = [name for name, variant in variants.items() if variant.control]

    def attribute(name: str, images: Any, targets: Any) -> Any:
        return variants[name](network, images, targets, seed=settings.random_state)

    each: list[Scores] = []
    steps = len(data.seeds) * len(metrics)
    with tqdm(total=steps, desc="judging", unit="metric", disable=None) as bar:
        for place, seed in enumerate(data.seeds):
            memorised = _memorised(model, dataset, family, seed)
            artefacts.load_weights(model, artefacts.weights(dataset, family, seed))
            judged = Judged(
                network=network,
                images=arrays["images"].astype(np.float32),
                targets=arrays["predictions"][place].astype(np.int32),
                maps={name: arrays[name][place] for name in variants},
                attribute=attribute,
                noise=settings.removal.noise,
                variants=variants,
                seed=settings.random_state,
                others=_others(arrays, place, variants),
                evidence=_where_right(arrays, "evidence", place),
                suppressor=_where_right(arrays, "suppressor", place),
                memorised=memorised,
            )
            scores: Scores = {name: {} for name in (*variants, NETWORK)}
            for name, options in metrics.items():
                bar.set_postfix(seed=seed, metric=name)
                by_variant = METRICS[name](judged, options, settings.random_state + seed)
                for variant, own in by_variant.items():
                    scores[variant] |= own
                bar.update()
            if "evidence" in test:
                scores[NETWORK] |= _intervention(model, test)
            each.append(scores)
    with artefacts.replacing(artefacts.scores(dataset, family)) as (path,):
        artefacts.save_scores(path, _stacked(each), controls)
    print(f"{len(variants)} variants judged by {len(metrics)} metrics")


def _others(
    arrays: Arrays, place: int, variants: dict[str, Variant]
) -> dict[str, NDArray[np.float32]]:
    """The maps by the next seed's network, NaN where it predicts another class than this one:
    float32 (1, n, h, w) by variant, the controls left out. Each seed's network so meets one other;
    nothing where there is one seed."""
    seeds = len(arrays["seeds"])
    other = (place + 1) % seeds
    same = arrays["predictions"][other] == arrays["predictions"][place]
    return {
        name: np.where(same[:, np.newaxis, np.newaxis], arrays[name][other], np.nan)[np.newaxis]
        for name, variant in variants.items()
        if seeds > 1 and not variant.control
    }


def _memorised(model: Any, dataset: str, family: str, seed: int) -> list[NDArray[Any]] | None:
    """The weights of the network that memorised shuffled labels, None where it did not."""
    path = artefacts.memorised(dataset, family) / artefacts.weights_name(seed)
    if not path.is_file():
        return None
    artefacts.load_weights(model, path)
    weights: list[NDArray[Any]] = model.get_weights()
    return weights


def _where_right(arrays: Arrays, name: str, place: int) -> NDArray[np.bool_] | None:
    """These pixels, of images that are predicted rightly: of what a network takes for the cue when
    it is wrong, they say nothing."""
    if name not in arrays:
        return None
    right = arrays["predictions"][place] == arrays["labels"]
    pixels: NDArray[np.bool_] = arrays[name] & right[:, np.newaxis, np.newaxis]
    return pixels


def _intervention(model: Any, test: Arrays) -> dict[str, NDArray[np.float64]]:
    """Whether a network's predictions depend on the planted cue, for each test image."""
    names = ("images", "labels", "cue_changed", "cue_changed_labels", "rest_changed")
    return intervention(
        lambda images: families.predict(model, images).argmax(axis=1),
        *(test[name] for name in names),
    )


def _stacked(each: list[Scores]) -> Scores:
    """Scores of each seed → scores (seeds, …); NaN for a seed that has no such score."""
    whole: Scores = {}
    for method in each[0]:
        names = {name: values for scores in each for name, values in scores[method].items()}
        whole[method] = {
            name: np.stack(
                [scores[method].get(name, np.full_like(like, np.nan)) for scores in each]
            )
            for name, like in names.items()
        }
    return whole


if __name__ == "__main__":
    run_cell(judge)
