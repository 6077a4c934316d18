"""``learning@D``: how networks learn, as pages and pictures. No TensorFlow."""

from glassnets.config.schema import Params
from glassnets.pipeline import artefacts, studies
from glassnets.pipeline.stages.command import run_dataset
from glassnets.report import learning as page
from glassnets.report import learning_pictures as pictures
from glassnets.report import learning_rules
from glassnets.tracking import studies as tracked


def learning(params: Params, dataset: str) -> None:
    """Writes what dynamics@D and learning_rules@D measured as pages with pictures."""
    data = params.dataset(dataset)
    folder = studies.learning(dataset)
    tables = {
        path.stem: artefacts.load_table(path)
        for path in sorted(studies.learning_table(dataset, "").parent.glob("*.csv"))
    }
    images = artefacts.load_json(artefacts.results(dataset) / "split.json")["images"]
    text = page.page(
        dataset,
        tables,
        artefacts.load_json(folder / "summary.json"),
        data.dynamics,
        images,
        params.evaluation.confidence_level,
        folder.name,
    )
    of_rules = {
        name: artefacts.load_table(artefacts.results(dataset) / "learning_rules" / f"{name}.csv")
        for name in learning_rules.TABLES
    }
    pages = {
        "learning.md": text,
        "learning_rules.md": learning_rules.page(
            dataset, of_rules, data.learning_rules, images["train"], "learning_rules.png"
        ),
    }
    drawn = {f"learning/{name}.png": png for name, png in pictures.all_pictures(tables).items()}
    drawn["learning_rules.png"] = learning_rules.picture(of_rules)
    outputs = [artefacts.results(dataset) / name for name in (*pages, *drawn)]
    contents = [*(page.encode() for page in pages.values()), *drawn.values()]
    with artefacts.replacing(*outputs) as paths:
        for path, content in zip(paths, contents, strict=True):
            path.write_bytes(content)
    tracked.log(params, dataset, "learning", "learning_rules")
    print(f"wrote {' and '.join(pages)} in results/{dataset}")


if __name__ == "__main__":
    run_dataset(learning)
