"""The runs of a dataset's studies, one of each: how networks learn, what they learn by other rules,
how alike they represent; from the files of dynamics@D, learning_rules@D, learning@D and
similarity@D."""

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import pandas as pd
from mlflow import entities

from glassnets.config.schema import Params
from glassnets.pipeline import artefacts
from glassnets.pipeline.alone import alone
from glassnets.report import learning_rules, similarity
from glassnets.representations.comparisons import TRAINED, UNTRAINED
from glassnets.tracking import runs, store
from glassnets.tracking.runs import Run
from glassnets.tracking.store import Experiment


class Study(NamedTuple):
    """name: of the page, ``<name>.md``, and of the run's tag ``glassnets.<name>``, the sha256 of
    the files. stage: what measured it, whose options are the run's. run: its name in MLflow.
    files: patterns of what lies in results/<dataset> beside the page. metrics: of that folder, by
    MLflow's names."""

    name: str
    stage: str
    run: str
    files: tuple[str, ...]
    metrics: Callable[[Path], dict[str, float]]

    def paths(self, dataset: str) -> list[Path]:
        """All files, the page last."""
        folder = artefacts.results(dataset)
        found = [path for pattern in self.files for path in sorted(folder.glob(pattern))]
        return [*(path for path in found if path.is_file()), folder / f"{self.name}.md"]

    def tags(self, dataset: str) -> dict[str, str]:
        """What tells the run of these files from others."""
        each = (hashlib.sha256(path.read_bytes()).digest() for path in self.paths(dataset))
        return {
            "glassnets.dataset": dataset,
            "glassnets.stage": self.stage,
            f"glassnets.{self.name}": hashlib.sha256(b"".join(each)).hexdigest(),
        }


def _learning(results: Path) -> dict[str, float]:
    """The numbers of summary.json."""
    numbers = artefacts.load_json(results / "learning" / "summary.json")
    return {f"learning/{name}": value for name, value in numbers.items() if value is not None}


def _learning_rules(results: Path) -> dict[str, float]:
    """Each rule's accuracy and log loss on the test part, means over seeds; the share of its
    explanations whose verdict holds; and the angle to the gradient at the end, over hidden layers
    and seeds."""
    tables = {
        name: artefacts.load_table(results / "learning_rules" / f"{name}.csv")
        for name in learning_rules.TABLES
    }
    found = {}
    for row in tables["networks"].to_dict("records"):
        found[f"{row['score']}/{row['rule']}"] = row["mean"]
    explained, angles = tables["explained"], tables["angles"]
    for rule, holds in (explained["verdict"] == "holds").groupby(explained["rule"]):
        found[f"explanations_that_hold/{rule}"] = holds.mean()
    hidden = angles["layer"] < angles["layer"].max()
    ends = angles[hidden & (angles["epoch"] == angles["epoch"].max())]
    for rule, own in ends.groupby("rule"):
        found[f"degrees_to_the_gradient/{rule}"] = own["degrees"].mean()
    return {f"learning_rules/{name.replace(' ', '_')}": v for name, v in found.items()}


def _similarity(results: Path) -> dict[str, float]:
    """The debiased CKA of the last layers of each two families, as the page has it."""
    table = artefacts.load_table(results / "similarity.csv")
    by_family = table.groupby("family_a", sort=False)["layer_a"]
    layers = {str(family): [*own.unique()] for family, own in by_family}
    answers = similarity.Answers(table, layers)
    return {
        f"similarity/cka_{state}/{a}_{b}": answers.of(
            "cka", state, answers.last(a), answers.last(b)
        )["value"]
        for a, b in answers.pairs
        for state in (TRAINED, UNTRAINED)
    }


STUDIES = (
    Study("learning", "dynamics", "how networks learn", ("learning/**/*",), _learning),
    Study(
        "learning_rules",
        "learning_rules",
        "other learning rules",
        ("learning_rules/*", "learning_rules.png"),
        _learning_rules,
    ),
    Study(
        "similarity",
        "similarity",
        "do families see alike",
        ("similarity*.csv", "similarity*.png"),
        _similarity,
    ),
)


def log(params: Params, dataset: str, *names: str) -> int:
    """Logs at the end of a stage, as `log_now` does. Where MLflow cannot be used it says so and
    gives 0: the stage has its results."""
    with store.put_off(dataset):
        return log_now(params, dataset, *names)
    return 0


def log_now(params: Params, dataset: str, *names: str) -> int:
    """Logs what was written of these of `STUDIES`, where MLflow lacks it. Gives how many runs were
    written.

    A run holds options as parameters, numbers as metrics, and tables, pictures and page. Raises
    GlassnetsError where MLflow cannot be used or a stage has not run.
    """
    return sum(_log(params, dataset, study) for study in STUDIES if study.name in names)


def here(dataset: str) -> list[str]:
    """The names of the studies whose pages are there."""
    folder = artefacts.results(dataset)
    return [study.name for study in STUDIES if (folder / f"{study.name}.md").is_file()]


def faults(experiment: Experiment, dataset: str) -> list[str]:
    """What is wrong with the runs of the studies that are `here`, a line each."""
    found = []
    for study in (s for s in STUDIES if s.name in here(dataset)):
        own = experiment.runs(study.tags(dataset))
        expected = study.metrics(artefacts.results(dataset))
        name = f"{study.run!r} of {dataset}"
        if len(own) != 1:
            found.append(f"{name}: expected 1 run of these files, got {len(own)}")
        found += [
            f"{name}: expected it FINISHED with the metrics of these files, got others"
            for run in own
            if run.info.status != "FINISHED" or run.data.metrics != expected
        ]
    return found


def _log(params: Params, dataset: str, study: Study) -> bool:
    folder = artefacts.results(dataset)
    metrics = study.metrics(folder)
    tags = study.tags(dataset)
    # Alone, or two processes would make the same run.
    with alone(folder), store.experiment(dataset) as experiment:
        found = experiment.runs(tags)
        if any(run.info.status == "FINISHED" for run in found):
            return False
        for half in found:  # what a kill has left
            experiment.client.delete_run(half.info.run_id)
        created = experiment.client.create_run(
            experiment.id, tags=tags | runs.source(), run_name=study.run
        )
        run = Run(experiment, created.info.run_id)
        options = getattr(params.dataset(dataset), study.stage).model_dump()
        (flat,) = pd.json_normalize(options).to_dict("records")
        logged = [entities.Param(str(name), str(value)) for name, value in flat.items()]
        experiment.client.log_batch(run.id, params=logged)
        run.log_dataset(dataset, "train", "training")
        run.log_metrics(metrics)
        for path in study.paths(dataset):  # where they lie, so that the page finds its pictures
            within = path.parent.relative_to(folder).as_posix()
            experiment.client.log_artifact(run.id, str(path), within if within != "." else None)
        experiment.client.set_terminated(run.id)
    return True
