"""``compare@D``: the families of a dataset side by side."""

import io
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from glassnets import artefacts
from glassnets.params import Dataset, Params
from glassnets.report import (
    agreement,
    attributions,
    explanations,
    figures,
    leaderboards,
    model_card,
    page,
    statistics,
    tables,
)
from glassnets.stages.command import run_dataset

Output = str | bytes | pd.DataFrame

# What the figures depend on most, named in the report; the rest is pinned in requirements.txt.
_PACKAGES = ("tensorflow-cpu", "keras", "scikit-learn", "numpy", "pandas", "dvc", "mlflow")


def compare(params: Params, dataset: str) -> None:
    """Writes what follows from a dataset's results: report.html shows it, comparison.md,
    explanations.md and each family's model-card.md say it."""
    cells = params.dataset(dataset)
    folders = {family: artefacts.results(dataset, family) for family in cells.families}
    metrics = {f: artefacts.load_json(folder / "metrics.json") for f, folder in folders.items()}
    predictions, histories, reliabilities, confusions, classes = (
        {f: artefacts.load_table(folder / f"{name}.csv") for f, folder in folders.items()}
        for name in ("predictions", "history", "reliability", "confusion_matrix", "classes")
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
    explained, maps, found = _explanations(params, dataset)
    outputs |= explained
    run = _run(params, dataset)
    for family in cells.families:
        subject = model_card.Subject(
            family=family,
            cell=cells.family(family),
            metrics=metrics[family],
            classes=classes[family],
            confusions=confusions[family],
            explained=maps[family],
            leaderboard=found.leaderboards[family],
        )
        outputs |= {
            f"{family}/model-card.md": model_card.card(subject, setting, run, "failures.png"),
            f"{family}/failures.png": model_card.failures(subject),
        }
    outputs["report.html"] = page.page(
        page.Contents(
            setting=setting,
            table=table,
            tests=tests,
            metrics=metrics,
            histories=histories,
            reliabilities=reliabilities,
            confusions=confusions,
            cells=maps,
            findings=found,
            run=run,
            params=_yaml(params, dataset),
        )
    )

    paths = [artefacts.results(dataset) / name for name in outputs]
    with artefacts.replacing(*paths) as partials:
        for path, content in zip(partials, outputs.values(), strict=True):
            _save(path, content)
    beliefs = explanations.conclusions(found)
    print(*tables.conclusions(table, tests, setting), *beliefs, sep="\n")


def _explanations(
    params: Params, dataset: str
) -> tuple[dict[str, Output], agreement.Cells, explanations.Findings]:
    """What is written of the families' explanations, the explanations, and what they say."""
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
    return outputs, cells, found


def _run(params: Params, dataset: str) -> dict[str, str]:
    """What was run, for the report."""
    cells, runtime = params.dataset(dataset), params.runtime
    planting = cells.planting
    source = params.dataset(planting.source) if planting else cells
    made = f", on which patterns were planted: images of {planting.source}" if planting else ""
    return {
        "Images": f"sha256 {source.images_sha256}{made}",
        "Labels": f"sha256 {source.labels_sha256}",
        "Versions": ", ".join(f"{name} {version(name)}" for name in _PACKAGES),
        "Threads": f"{runtime.intra_op_threads} in an operation, {runtime.inter_op_threads} beside "
        "each other; deterministic kernels",
        "Rebuild": f"make run DATASET={dataset} (all figures: results/{dataset}/)",
    }


def _yaml(params: Params, dataset: str) -> str:
    """The groups of params.yaml that the dataset's results depend on."""
    # The dataset's schema is a union that pydantic dumps well, but with a warning.
    groups = params.model_dump(
        mode="json", include={"runtime", "evaluation", dataset}, warnings=False
    )
    text = io.StringIO()
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.sort_base_mapping_type_on_output = False
    yaml.dump(groups, text)
    return text.getvalue()


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
