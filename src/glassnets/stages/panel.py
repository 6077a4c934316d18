"""panel@D: the test images that are explained."""

from glassnets import artefacts
from glassnets.panel import choose
from glassnets.params import Params
from glassnets.stages.command import run_dataset


def panel(params: Params, dataset: str) -> None:
    """Chooses the test images that are explained, some of them answered wrongly by a network."""
    cells = params.dataset(dataset)
    wanted = cells.explanations.panel
    folders = {family: artefacts.results(dataset, family) for family in cells.families}
    predictions = {f: artefacts.load_table(path / "predictions.csv") for f, path in folders.items()}
    chosen = choose(predictions, wanted)
    with artefacts.replacing(artefacts.results(dataset) / "panel.csv") as (panel_csv,):
        artefacts.save_table(panel_csv, chosen)
    wrong = int(chosen["wrong"].gt(0).sum())
    asked = (
        "" if wrong == wanted.wrong else f" ({wanted.wrong} were asked for: too few of one kind)"
    )
    print(
        f"{len(chosen)} images; at least one of {chosen['networks'].iloc[0]} networks answered "
        f"{wrong} of them wrongly{asked}"
    )


if __name__ == "__main__":
    run_dataset(panel)
