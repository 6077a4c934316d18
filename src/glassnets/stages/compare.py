"""``compare@D``: the families of a dataset side by side."""

from pathlib import Path

import pandas as pd

from glassnets import artefacts
from glassnets.params import Dataset, Params
from glassnets.report import (
    agreement,
    attributions,
    explanations,
    figures,
    leaderboards,
    statistics,
    tables,
)
from glassnets.stages.command import run_dataset

Output = str | bytes | pd.DataFrame


def compare(params: Params, dataset: str) -> None:
    """Writes what follows from a dataset's results: comparison.md and explanations.md say it."""
    cells = params.dataset(dataset)
    folders = {family: artefacts.results(dataset, family) for family in cells.families}
    metrics = {f: artefacts.load_json(folder / "metrics.json") for f, folder in folders.items()}
    predictions, histories, reliabilities = (
        {f: artefacts.load_table(folder / name) for f, folder in folders.items()}
        for name in ("predictions.csv", "history.csv", "reliability.csv")
    )
    split = artefacts.load_json(artefacts.results(dataset) / "split.json")

    table = tables.comparison(metrics)
    seeds, right = statistics.correctness(predictions)
    tests = statistics.pairwise({family: right[family] for family in table["family"]}, seeds)
    setting = tables.Setting(
        dataset=dataset,
        split=_split(cells),
        images=split["images"],
        duplicates=split["duplicates_of_earlier_parts"]["test"],
        seeds=seeds,
        confidence_level=params.evaluation.confidence_level,
    )
    by_seed = {family: metrics[family]["accuracy"]["by_seed"] for family in cells.families}
    picture = figures.comparison(setting, table, by_seed, histories, reliabilities)

    outputs: dict[str, Output] = {
        "comparison.csv": table,
        "comparison.md": tables.markdown(table, tests, setting, picture="comparison.png"),
        "comparison.png": picture,
        "mcnemar.csv": tests,
    }
    explained, beliefs = _explanations(params, dataset)
    outputs |= explained

    paths = [artefacts.results(dataset) / name for name in outputs]
    with artefacts.replacing(*paths) as partials:
        for path, content in zip(partials, outputs.values(), strict=True):
            _save(path, content)
    print(*tables.conclusions(table, tests, setting), *beliefs, sep="\n")


def _explanations(params: Params, dataset: str) -> tuple[dict[str, Output], list[str]]:
    """What is written of the families' explanations, and what is said of them."""
    families = params.dataset(dataset).families
    folders = {family: artefacts.results(dataset, family) for family in families}
    cells = {f: artefacts.load_arrays(path / "explanations.npz") for f, path in folders.items()}
    boards = {f: artefacts.load_table(path / "leaderboard.csv") for f, path in folders.items()}
    summaries = {f: artefacts.load_json(path / "explanations.json") for f, path in folders.items()}
    panel = artefacts.load_table(artefacts.results(dataset) / "panel.csv")

    agreement.check(cells, panel)
    found = explanations.findings(cells, boards, summaries, params.evaluation)
    setting = explanations.Setting(
        dataset, panel, list(params.dataset(dataset).seeds), params.evaluation.confidence_level
    )
    shown = {family: leaderboards.best(board) for family, board in boards.items()}
    groups = agreement.examples(cells, shown, each=2)
    outputs: dict[str, Output] = {
        "explanations.md": explanations.page(found, setting, picture="explanations.png"),
        "explanations.png": attributions.families(cells, groups, boards),
        "agreement.csv": found.table,
    }
    return outputs, explanations.conclusions(found)


def _save(path: Path, content: Output) -> None:
    match content:
        case str():
            path.write_text(content, encoding="utf-8", newline="\n")
        case bytes():
            path.write_bytes(content)
        case _:
            artefacts.save_table(path, content)


def _split(dataset: Dataset) -> str:
    """How the test part was taken, in words."""
    if dataset.split == "official":
        return "Official split"
    how = f"test_size {dataset.test_size:g}, random_state {dataset.random_state}"
    if dataset.stratify:
        how += ", stratified"
    if dataset.max_images is not None:
        how += f", of the first {dataset.max_images:,} images"
    return f"Random split ({how})"


if __name__ == "__main__":
    run_dataset(compare)
