"""``units@D``: what the units of a dataset's families are like, and what their lesions cost."""

from glassnets.config.schema import Params
from glassnets.data.inputs import Inputs
from glassnets.pipeline import artefacts, studies
from glassnets.pipeline.stages.command import run_dataset
from glassnets.report import units as report
from glassnets.representations import answers


def units(params: Params, dataset: str) -> None:
    """Answers, from what probe and lesion wrote, whether a selective unit matters."""
    data, evaluation = params.dataset(dataset), params.evaluation
    cells, arrays = {}, {}
    for family in data.families:
        folder = studies.units(dataset, family)
        names = ("units", "layers", "lesions", "cumulative")
        tables = {name: artefacts.load_table(folder / f"{name}.csv") for name in names}
        cells[family] = answers.Cell(**tables)
        arrays[family] = artefacts.load_arrays(folder / "units.npz")
    test = artefacts.load_arrays(artefacts.part(dataset, "test"))
    table = answers.table(cells, evaluation)
    setting = report.Setting(
        dataset=dataset,
        seeds=data.seeds,
        confidence_level=evaluation.confidence_level,
        probe=data.probe,
        lesion=data.lesion,
        test_images=len(test["labels"]),
        inputs=Inputs.of(data),
    )
    pictures = {
        "units.png": report.tuning_picture(cells),
        "units-lesions.png": report.lesions_picture(cells, table),
        "units-orders.png": report.orders_picture(cells),
        "units-fields.png": report.fields_picture(cells, arrays, test, setting),
    }
    page = report.page(cells, arrays, table, setting)
    results = artefacts.results(dataset)
    targets = [results / name for name in ("units.csv", "units.md", *pictures)]
    with artefacts.replacing(*targets) as (units_csv, units_md, *pngs):
        artefacts.save_table(units_csv, table)
        units_md.write_text(page, encoding="utf-8", newline="\n")
        for path, picture in zip(pngs, pictures.values(), strict=True):
            path.write_bytes(picture)
    print(*report.conclusions(table), sep="\n")


if __name__ == "__main__":
    run_dataset(units)
