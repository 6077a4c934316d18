"""``compare@D``: the families of a dataset side by side."""

import base64
import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
from ruamel.yaml import YAML

from glassnets.attribution.specificity import between_families, drops_of
from glassnets.attribution.verdicts import best
from glassnets.config.schema import Dataset, Datasheet, Params, requested
from glassnets.data.inputs import Inputs
from glassnets.evaluation import paired_tests
from glassnets.pipeline import artefacts, manifests
from glassnets.pipeline.stages.command import run_dataset
from glassnets.report import (
    agreement,
    attributions,
    baselines,
    columns,
    comparison,
    drawing,
    figures,
    languages,
    leaderboards,
    model_card,
    page,
    verdicts,
)
from glassnets.report.languages import say
from glassnets.report.results import Results, Setting, split_in_words

Output = str | bytes | pd.DataFrame | dict[str, float]

# Tables of a cell that git keeps, those of all families in one: attribute and file.
_JOINED = {
    "by_removal": "scores_by_removal.csv",
    "classes": "classes.csv",
    "confusion_matrix": "confusion_matrices.csv",
    "history": "history.csv",
    "effects": "effects.csv",
    "leaderboard": "leaderboards.csv",
    "reliability": "reliability.csv",
    "shares": "shares.csv",
}


def compare(params: Params, dataset: str) -> None:
    """Compares the families of a dataset: tables, figures, pages, a model card for each."""
    data = params.dataset(dataset)
    inputs = Inputs.of(data)
    results = {family: _results(dataset, family, inputs) for family in data.families}
    table = comparison.table({family: each.metrics for family, each in results.items()})
    seeds, right = paired_tests.correctness({f: each.predictions for f, each in results.items()})
    tests = paired_tests.pairwise({family: right[family] for family in table["family"]}, seeds)
    sample = artefacts.load_table(artefacts.sample(dataset))
    agreement.check({family: each.attributions for family, each in results.items()}, sample)
    agreed = agreement.agreement(results, params.evaluation)
    between = _between(params, dataset, results)
    additive = artefacts.load_table(artefacts.results(dataset) / "additive.csv")
    shortcuts = None
    if data.shortcut is not None:
        cells = {family: artefacts.results(dataset, family) for family in results}
        tables = {f: artefacts.load_table(cell / "shortcut.csv") for f, cell in cells.items()}
        shortcuts = _joined(tables)
    trials = verdicts.Trials(agreed, between, additive, shortcuts)
    beside = baselines.beside(
        artefacts.load_table(artefacts.baselines(dataset)),
        artefacts.load_table(artefacts.baseline_predictions(dataset)),
        {family: results[family].predictions for family in table["family"]},
    )
    split = artefacts.load_json(artefacts.results(dataset) / "split.json")
    setting = Setting(
        dataset=dataset,
        split=split_in_words(data),
        images=split["images"],
        duplicates=split["duplicates_of_earlier_parts"]["test"],
        sample=len(sample),
        seeds=tuple(seeds),
        confidence_level=params.evaluation.confidence_level,
        max_correlation=data.verdict.max_correlation,
        max_class_correlation=data.verdict.max_class_correlation,
        inputs=inputs,
    )
    run = _run(params, dataset)

    outputs: dict[str, Output] = {
        "comparison.csv": table,
        "comparison.md": comparison.page(table, tests, beside, setting, "comparison.png"),
        "comparison.png": figures.comparison(setting, table, results),
        "mcnemar.csv": tests,
        "verdicts.md": verdicts.page(results, trials, setting, picture="attributions.png"),
        "attributions.png": drawing.png(attributions.families(results, 2, inputs)),
        "agreement.csv": agreed.table,
        "between_families.csv": between,
        "first.csv": verdicts.first(results),
        "metrics.csv": _metrics(results),
        "accuracy.json": {f: each.metrics["accuracy"]["mean"] for f, each in results.items()},
        **{
            file: _joined({family: getattr(each, name) for family, each in results.items()})
            for name, file in _JOINED.items()
        },
    }
    if inputs.class_names is not None:
        named = _joined({family: each.classes for family, each in results.items()})
        outputs[_JOINED["classes"]] = named.assign(name=inputs.class_list(named["class"]))
    pictures: dict[str, dict[str, str]] | None = None
    if data.kind == "table":
        counts = columns.table(results, inputs, params.evaluation)
        outputs["galleries/columns.csv"] = counts
        pictures = {}
        for family, each in results.items():
            drawn = columns.picture(family, each, inputs, counts, setting.percent)
            png = outputs[f"galleries/{family}-columns.png"] = drawing.png(drawn)
            variant = best(each.leaderboard)
            verdict = leaderboards.verdict(
                each.leaderboard, variant, False, f"make run DATASET={dataset}"
            )
            uri = "data:image/png;base64," + base64.b64encode(png).decode()
            name = languages.variant(variant)
            words = say("{method}: {verdict}", method=name, verdict=verdict.text)
            pictures[family] = {"uri": uri, "verdict": words}
    yaml = _yaml(params, data)
    studied = dataset in params.studied_datasets
    outputs["report.html"] = page.page(
        setting, results, table, tests, beside, run, yaml, pictures, studied=studied
    )
    datasheet = data.datasheet or (Datasheet() if data.source else None)
    test = artefacts.load_arrays(artefacts.part(dataset, "test"))
    for family, each in results.items():
        failures = model_card.failures(each.predictions, test)
        cell = data.family(family)
        card = model_card.card(
            family, cell, each, failures, setting, run, "failures.png", datasheet
        )
        gallery = attributions.gallery(
            each.attributions, each.leaderboard, f"{family} on {dataset}", 0, inputs
        )
        outputs |= {
            f"families/{family}/model-card.md": card,
            f"families/{family}/failures.png": model_card.failures_figure(failures, inputs),
            f"galleries/{family}.png": drawing.png(gallery),
        }
    paths = [artefacts.results(dataset) / name for name in outputs]
    with artefacts.replacing(*paths) as partials:
        for path, content in zip(partials, outputs.values(), strict=True):
            _save(path, content)
    conclusions = comparison.conclusions(table, tests, setting)
    conclusions += baselines.conclusions(table, beside, setting)
    print(*conclusions, *verdicts.conclusions(results), sep="\n")


def _between(params: Params, dataset: str, results: Mapping[str, Results]) -> pd.DataFrame:
    """See `between_families`; an empty table where its metric was not computed."""
    settings = params.dataset(dataset).attribution
    options: Any = requested(settings.metrics).get("faithfulness_correlation")
    if options is None:
        return pd.DataFrame()
    drops = {}
    for family in results:
        scores, _ = artefacts.load_scores(artefacts.scores(dataset, family))
        drops[family] = drops_of(scores[artefacts.NETWORK])
    attributions = {family: each.attributions for family, each in results.items()}
    return between_families(attributions, drops, options, settings.random_state, params.evaluation)


def _joined(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """Tables of families in one, a column ``family`` first."""
    joined: pd.DataFrame = pd.concat(tables, names=["family"]).reset_index("family")
    return joined


def _metrics(results: Mapping[str, Results]) -> pd.DataFrame:
    """A row for each family and metric: mean, sd, ci_low, ci_high, and the value of each seed."""
    rows = []
    for family, each in results.items():
        seeds = each.attributions["seeds"]
        for metric, summary in each.metrics.items():
            ends = {key: summary[key] for key in ("mean", "sd", "ci_low", "ci_high")}
            values = {f"seed_{s}": v for s, v in zip(seeds, summary["by_seed"], strict=True)}
            rows.append({"family": family, "metric": metric, **ends, **values})
    return pd.DataFrame(rows)


def _results(dataset: str, family: str, inputs: Inputs) -> Results:
    folder = artefacts.results(dataset, family)
    names = ("predictions", "choices", *_JOINED)
    tables = {name: artefacts.load_table(folder / f"{name}.csv") for name in names}
    reasons = tables["leaderboard"]["reasons"]
    tables["leaderboard"]["reasons"] = reasons.map(inputs.words.of, na_action="ignore")
    return Results(
        metrics=artefacts.load_json(folder / "metrics.json"),
        attributions=artefacts.load_arrays(artefacts.attributions(dataset, family)),
        verdicts=artefacts.load_json(folder / "verdicts.json"),
        **tables,
    )


def _run(params: Params, dataset: str) -> dict[str, str]:
    """How the results were made, for the report."""
    data, runtime = params.dataset(dataset), params.runtime
    planting = data.planting
    packages = artefacts.load_json(artefacts.manifest("compare", dataset))["packages"]
    source = params.dataset(planting.source) if planting else data
    called = {"images": Inputs.of(data).words.many}
    planted = "sha256 {sha256}, on which patterns were planted: images of {source}"
    form, given = (planted, {"source": planting.source}) if planting else ("sha256 {sha256}", {})
    raw = {say(f"Raw {called.get(key, key)}"): value for key, value in source.sha256 or ()}
    threads = "{inside} in an operation, {beside} beside each other; deterministic kernels"
    return {
        **{name: say(form, sha256=sha256, **given) for name, sha256 in raw.items()},
        say("Versions"): ", ".join(f"{name} {version}" for name, version in packages.items()),
        say("Threads"): say(
            threads, inside=runtime.intra_op_threads, beside=runtime.inter_op_threads
        ),
        say("Rebuild"): say(
            "{command} (all results: {folder})",
            command=f"make run DATASET={dataset}",
            folder=f"results/{dataset}/",
        ),
    }


def _yaml(params: Params, data: Dataset) -> str:
    """The parameters that the dataset's results depend on, defaults and presets resolved."""
    groups = {name: getattr(params, name).model_dump() for name in ("runtime", "evaluation")}
    text = io.StringIO()
    yaml: Any = YAML(typ="safe", pure=True)
    yaml.sort_base_mapping_type_on_output = False
    yaml.dump(groups | manifests.resolved(data), text)
    return text.getvalue()


def _save(path: Path, content: Output) -> None:
    match content:
        case str():
            path.write_text(content, encoding="utf-8", newline="\n")
        case bytes():
            path.write_bytes(content)
        case dict():
            artefacts.save_json(path, content)
        case _:
            artefacts.save_table(path, content)


if __name__ == "__main__":
    run_dataset(compare)
