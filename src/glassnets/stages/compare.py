"""``compare@D``: the families of a dataset side by side."""

from glassnets import artefacts, registry
from glassnets.params import Dataset, Params
from glassnets.report import figures, statistics, tables
from glassnets.stages.command import run_dataset


def compare(params: Params, dataset: str) -> None:
    """Writes results/DATASET/comparison.md (read that), comparison.csv, .png and mcnemar.csv."""
    cells = params.dataset(dataset)
    families = [name for name in registry.names("families") if getattr(cells, name) is not None]
    folders = {family: artefacts.results(dataset, family) for family in families}
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
    by_seed = {family: metrics[family]["accuracy"]["by_seed"] for family in families}
    picture = figures.comparison(setting, table, by_seed, histories, reliabilities)

    folder = artefacts.results(dataset)
    names = ("comparison.csv", "comparison.md", "mcnemar.csv", "comparison.png")
    with artefacts.replacing(*(folder / name for name in names)) as (csv, md, mcnemar, png):
        artefacts.save_table(csv, table)
        text = tables.markdown(table, tests, setting, picture=names[3])
        md.write_text(text, encoding="utf-8", newline="\n")
        artefacts.save_table(mcnemar, tests)
        png.write_bytes(picture)

    print(*tables.conclusions(table, tests, setting), sep="\n")


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
