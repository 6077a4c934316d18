"""``verdict@D-F``: intervals, a leaderboard and verdicts from the scores of a cell."""

from typing import Any

from glassnets.attribution import outcome, specificity, verdicts
from glassnets.attribution.scores import INTERVENTIONS
from glassnets.config.schema import Params, requested
from glassnets.pipeline import artefacts
from glassnets.pipeline.stages.command import run_cell
from glassnets.tracking import from_files


def verdict(params: Params, dataset: str, family: str) -> None:
    """Says which attributions of a cell can be believed, from the scores alone."""
    data, evaluation = params.dataset(dataset), params.evaluation
    scores, controls = artefacts.load_scores(artefacts.scores(dataset, family))
    of_network = scores.pop(artefacts.NETWORK, {})
    intervention = {name: of_network[name] for name in INTERVENTIONS if name in of_network}
    accuracy = artefacts.load_json(artefacts.memorised(dataset, family) / "accuracy.json")
    summary: dict[str, Any] = {"memorised": accuracy}
    if intervention:
        withheld = verdicts.withheld(intervention, data.verdict.min_followed)
        verdicts.withhold_localization(scores, withheld)
        summary["intervention"] = verdicts.summaries({"network": intervention}, evaluation)[
            "network"
        ] | {"withheld_seeds": [data.seeds[place] for place in withheld]}
    options: Any = requested(data.attribution.metrics).get("faithfulness_correlation")
    if options is not None:
        arrays = artefacts.load_arrays(artefacts.attributions(dataset, family))
        drops = specificity.drops_of(of_network)
        random_state = data.attribution.random_state
        others = specificity.of_other_images(arrays, drops, options, random_state)
        for variant, own in others.items():
            scores[variant] |= {
                f"faithfulness_correlation_{removal}{verdicts.OF_OTHER_IMAGES}": values
                for removal, values in own.items()
            }
    made = verdicts.judgement(scores, controls, data.verdict, evaluation)
    summary |= outcome.summary(scores, controls, made, evaluation)
    tables = outcome.tables(scores, controls, made, data.attribution.references, evaluation)
    results = artefacts.results(dataset, family)
    names = ("verdicts.json", "score_summaries.json", *(f"{name}.csv" for name in tables))
    with artefacts.replacing(*(results / name for name in names)) as paths:
        artefacts.save_json(paths[0], summary)
        artefacts.save_json(paths[1], verdicts.summaries(scores, evaluation))
        for path, table in zip(paths[2:], tables.values(), strict=True):
            artefacts.save_table(path, table)
    from_files.log(params, dataset, family, "verdict")
    print(
        f"{summary['holds'] or 'none'} of {summary['methods']} hold, {summary['undecided']} are "
        f"undecided; the best supported is {verdicts.best(made.board)}"
    )


if __name__ == "__main__":
    run_cell(verdict)
