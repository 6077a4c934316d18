"""``verdict@D-F``: intervals, a leaderboard and verdicts from the scores of a cell."""

from typing import Any

from glassnets.attribution import verdicts
from glassnets.config.schema import Params
from glassnets.pipeline import artefacts
from glassnets.pipeline.stages.command import run_cell
from glassnets.tracking import from_files


def verdict(params: Params, dataset: str, family: str) -> None:
    """Says which methods of a cell pass, from the scores alone."""
    data, evaluation = params.dataset(dataset), params.evaluation
    scores, controls = artefacts.load_scores(artefacts.scores(dataset, family))
    intervention = scores.pop(artefacts.NETWORK, None)
    accuracy = artefacts.load_json(artefacts.memorised(dataset, family) / "accuracy.json")
    summary: dict[str, Any] = {"memorised": accuracy}
    if intervention is not None:
        withheld = verdicts.withheld(intervention, data.verdict.min_followed)
        verdicts.withhold_localization(scores, withheld)
        summary["intervention"] = verdicts.summaries({"network": intervention}, evaluation)[
            "network"
        ] | {"withheld_seeds": [data.seeds[place] for place in withheld]}
    board = verdicts.leaderboard(scores, controls, data.verdict.max_correlation, evaluation)
    summary |= {
        "methods": int((~board["control"]).sum()),
        "passing": int(board["passes"].sum()),
        "kendall_tau": verdicts.stability(scores, controls),
    }
    results = artefacts.results(dataset, family)
    names = ("verdicts.json", "score_summaries.json", "leaderboard.csv", "curves.csv")
    with artefacts.replacing(*(results / name for name in names)) as paths:
        artefacts.save_json(paths[0], summary)
        artefacts.save_json(paths[1], verdicts.summaries(scores, evaluation))
        artefacts.save_table(paths[2], board)
        artefacts.save_table(paths[3], verdicts.curves(scores))
    from_files.log(params, dataset, family, "verdict")
    passing = str(summary["passing"]) if summary["passing"] else "none"
    print(f"{passing} of {summary['methods']} methods pass; the best is {verdicts.best(board)}")


if __name__ == "__main__":
    run_cell(verdict)
