"""``similarity@D``: how alike the layers of a dataset's networks are."""

from glassnets.config.schema import Params
from glassnets.pipeline import artefacts, studies
from glassnets.pipeline.stages.command import run_dataset
from glassnets.report import formats
from glassnets.report import similarity as report
from glassnets.representations import comparisons
from glassnets.tracking import studies as tracked


def similarity(params: Params, dataset: str) -> None:
    """Compares the representations of all layers, seeds and families of a dataset."""
    data, level = params.dataset(dataset), params.evaluation.confidence_level
    grams = {f: artefacts.load_arrays(studies.grams(dataset, f)) for f in data.families}
    compared = comparisons.compared(grams)
    table = comparisons.answers(compared, data.similarity, level)
    trial = comparisons.trial(compared, data.similarity)
    layers = {f: [layer.name for layer in compared.layers(f)] for f in compared.families}
    answers = report.Answers(table, layers)
    setting = {
        "dataset": dataset,
        "images": compared.grams.shape[1],
        "seeds": data.seeds,
        "percent": formats.percent(level),
        "blocks": data.similarity.blocks,
    }
    pictures = {
        "similarity.png": report.families_picture(answers),
        "similarity-layers.png": report.layers_picture(answers),
        "similarity-measures.png": report.measures_picture(trial),
    }
    page = report.page(answers, trial, setting)
    tables = {"similarity.csv": table, "similarity_measures.csv": trial}
    results = artefacts.results(dataset)
    targets = [results / name for name in ("similarity.md", *tables, *pictures)]
    with artefacts.replacing(*targets) as (similarity_md, *others):
        similarity_md.write_text(page, encoding="utf-8", newline="\n")
        for path, each in zip(others, tables.values(), strict=False):
            artefacts.save_table(path, each)
        for path, picture in zip(others[len(tables) :], pictures.values(), strict=True):
            path.write_bytes(picture)
    tracked.log(params, dataset, "similarity")
    print(*report.conclusions(answers), sep="\n")


if __name__ == "__main__":
    run_dataset(similarity)
