"""preprocess@D: the raw arrays split into train, validation and test."""

from glassnets.config.schema import Params
from glassnets.data import splits
from glassnets.pipeline import artefacts
from glassnets.pipeline.stages.command import run_dataset


def preprocess(params: Params, dataset: str) -> None:
    """Splits a dataset into its parts and counts what is in them."""
    data = params.dataset(dataset)
    parts = splits.split(artefacts.load_arrays(artefacts.raw(dataset)), data)
    if data.kind == "table":
        parts = splits.filled(parts, data.column_names)
    balance = splits.class_balance(parts)
    summary = {
        "images": {name: len(part["labels"]) for name, part in parts.items()},
        "duplicates_of_earlier_parts": splits.duplicates(parts),
        **splits.kind(parts, data),
    }
    folder, results = artefacts.processed(dataset), artefacts.results(dataset)
    targets = (folder, results / "class_balance.csv", results / "split.json")
    with artefacts.replacing(*targets) as (partial, balance_csv, split_json):
        partial.mkdir()
        for name, part in parts.items():
            artefacts.save_arrays(partial / f"{name}.npz", part)
        artefacts.save_table(balance_csv, balance)
        artefacts.save_json(split_json, summary)
    print(balance.iloc[:, : 1 + len(parts)].to_string(index=False))
    print(f"images that lie in two parts: {sum(summary['duplicates_of_earlier_parts'].values())}")


if __name__ == "__main__":
    run_dataset(preprocess)
