"""What a sweep runs: settings of overrides, over cells and seeds, at a commit."""

import csv
import hashlib
import itertools
import json
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from dvc.exceptions import DvcException
from dvc.utils.hydra import apply_overrides, get_hydra_sweeps, to_hydra_overrides
from hydra.core.override_parser.types import Override
from hydra.errors import HydraException
from omegaconf.errors import OmegaConfBaseException

from glassnets import config
from glassnets.config.schema import Params
from glassnets.errors import GlassnetsError, ParameterError
from glassnets.sweeps.tasks import Task

STAGES = ("train", "evaluate")  # those that a sweep runs
# What a task reads of the project. A task is run at a commit, so these have to be committed.
READ = ("src", "params.yaml", "requirements.txt", "dvc.yaml", "dvc.lock", "manifests")

Setting = tuple[str, ...]  # overrides, `key=value` each


class Cell(NamedTuple):
    dataset: str
    family: str

    @property
    def name(self) -> str:
        return f"{self.dataset}-{self.family}"


class Plan(NamedTuple):
    """commit: of the project. stage: one of `STAGES`. settings: overrides that go together, one
    setting after the other. Every cell is run under every setting and seed."""

    commit: str
    stage: str
    cells: tuple[Cell, ...]
    settings: tuple[Setting, ...]
    seeds: tuple[int, ...]

    @property
    def digest(self) -> str:
        """Of the whole plan: the same plan is the same sweep."""
        return hashlib.sha256(json.dumps(self).encode()).hexdigest()[:12]

    def variants(self) -> list[tuple[int, int]]:
        """(setting, counted from 1; seed), in the order in which they are listed."""
        return [*itertools.product(range(1, len(self.settings) + 1), self.seeds)]

    def overrides(self, setting: int, seed: int) -> Setting:
        """Of a variant: those of the setting, and the seed of each dataset."""
        datasets = dict.fromkeys(cell.dataset for cell in self.cells)
        own = self.settings[setting - 1]
        return (*own, *(f"++{dataset}.seeds=[{seed}]" for dataset in datasets))

    def task(self, setting: int, seed: int, cell: Cell) -> Task:
        overrides = self.overrides(setting, seed)
        return Task(self.commit, overrides, f"{self.stage}@{cell.name}")

    def tasks(self) -> list[Task]:
        return [self.task(*variant, cell) for variant in self.variants() for cell in self.cells]


def grid(overrides: Sequence[str]) -> list[Setting]:
    """Every combination of the values of these overrides, in the form of ``dvc exp run -S``:
    ``key=value``, ``key=first,second``, ``key=range(1,5)``. The last key changes fastest. Raises
    ParameterError where one cannot be read."""
    check_distinct(overrides)
    try:
        combined = get_hydra_sweeps({"params.yaml": [*overrides]})
    except (HydraException, DvcException) as error:  # a range of numbers, which has no end
        raise ParameterError(
            f"{' '.join(overrides)}: expected KEY=VALUE[,VALUE…], got {_said(error)}"
        ) from None
    return [tuple(each["params.yaml"]) for each in combined]


def check_distinct(overrides: Iterable[str]) -> None:
    """Raises ParameterError where two are of one key: the last one would count alone."""
    seen: set[str] = set()
    for override in overrides:
        name = key(override)
        if name in seen:
            raise ParameterError(
                f"{override}: expected each key once, as {name}=first,second, got it again"
            )
        seen.add(name)


def parsed(override: str) -> Override:
    """An override as Hydra has it. Raises ParameterError where it is none."""
    try:
        read: Override = to_hydra_overrides([override])[0]
        if read.is_choice_sweep() or read.is_range_sweep():
            [*read.sweep_string_iterator()]
        if getattr(read.value(), "shuffle", False):
            raise ValueError("values in an order that is drawn anew each time")
    except (HydraException, ValueError, ArithmeticError, NotImplementedError) as error:
        raise ParameterError(
            f"{override}: expected KEY=VALUE[,VALUE…], got {_said(error)}"
        ) from None
    return read


def listed(path: Path) -> list[Setting]:
    """The settings of a table: a key of params.yaml a column, a setting a row, an empty field for
    what the row leaves as it is. Raises ParameterError where there is none."""
    try:
        with path.open(newline="", encoding="utf-8-sig") as file:  # spreadsheets put a mark first
            header, *rows = filter(None, csv.reader(file, strict=True))
    except (OSError, ValueError, csv.Error) as error:
        raise ParameterError(f"--settings: expected a CSV table, got {_said(error)}") from None
    settings = []
    for number, row in enumerate(rows, 2):
        if len(row) != len(header) or not any(row):
            raise ParameterError(
                f"--settings: expected {len(header)} fields a row, one of them not empty (a list "
                f'in quotes, "[64,32]"), got {len(row)} in line {number} of {path}'
            )
        own = [f"{key}={value}" for key, value in zip(header, row, strict=True) if value]
        settings.append(tuple(own))
        if several := [each for each in own if parsed(each).is_sweep_override()]:
            raise ParameterError(f"--settings: expected a value a field, got {several[0]}")
    if not settings:
        raise ParameterError(f"--settings: expected a row a setting, got none in {path}")
    return settings


def cells(named: Sequence[str], settings: Iterable[Setting], params: Params) -> tuple[Cell, ...]:
    """The cells that were named; where none was, those whose groups the settings change.

    Raises ParameterError where one is not known, or where a setting changes what many share."""
    known = {name: Cell(cell["dataset"], cell["family"]) for name, cell in params.cells.items()}
    if named:
        config.check_known("--cell", named, list(known))
        return tuple(known[name] for name in dict.fromkeys(named))
    keys = [key(override).split(".") for setting in settings for override in setting]
    if shared := [".".join(parts) for parts in keys if parts[0] not in params.datasets]:
        raise ParameterError(
            f"--cell: expected the cells to run, as {shared[0]} is of no single dataset; "
            f"any of {', '.join(known)}"
        )
    return tuple(
        cell
        for cell in known.values()
        if any(
            dataset == cell.dataset
            and (group == cell.family or group not in params.dataset(dataset).families)
            for dataset, group, *_ in ((*parts, "") for parts in keys)
        )
    )


def key(override: str) -> str:
    """The key of params.yaml that an override changes."""
    return str(parsed(override).key_or_group)


def check(plan: Plan, root: Path) -> None:
    """Raises ParameterError where a setting is none that params.yaml can have, and where one says
    what seeds there are."""
    for own in plan.settings:
        check_distinct(own)
    for override in itertools.chain.from_iterable(plan.settings):
        if key(override).rpartition(".")[2] == "seeds":
            raise ParameterError(
                f"{override}: expected seeds as --seeds 0,1, got them as a setting"
            )
    first = plan.settings[0]
    asked = [(setting, plan.seeds[0]) for setting in plan.settings]
    asked += [(first, seed) for seed in plan.seeds[1:]]
    with tempfile.TemporaryDirectory() as folder:
        for setting, seed in asked:
            overrides = plan._replace(settings=(setting,)).overrides(1, seed)
            changed(root / "params.yaml", Path(folder) / "params.yaml", overrides)


def changed(source: Path, target: Path, overrides: Setting) -> Params:
    """Writes a params.yaml under overrides, in the form in which DVC writes it; its content. Raises
    ParameterError where they do not fit."""
    target.write_bytes(source.read_bytes())
    try:
        apply_overrides(target, [*overrides])
    except (HydraException, DvcException, OmegaConfBaseException) as error:
        why = error.__cause__ or error
        raise ParameterError(
            f"{' '.join(overrides)}: expected keys of params.yaml (a new one as +KEY=VALUE), got "
            f"{_said(why)}"
        ) from None
    return config.load(target)


def commit(root: Path) -> str:
    """The commit that the project is at. Raises GlassnetsError where what tasks read differs from
    it: a task is run at a commit."""
    where = ["git", "-C", str(root)]
    ran = subprocess.run([*where, "rev-parse", "HEAD"], capture_output=True, text=True)
    if ran.returncode:
        raise GlassnetsError(
            f"expected a commit, at which tasks are run, got: {ran.stderr.strip()}"
        )
    status = [*where, "--no-optional-locks", "status", "--porcelain", "--", *READ]
    if dirty := subprocess.run(status, capture_output=True, text=True).stdout.splitlines():
        raise GlassnetsError(
            "expected all that tasks read to be committed, as they run at a commit; got changes in "
            f"{', '.join(line[3:] for line in dirty[:5])}: git commit them, or git stash"
        )
    return ran.stdout.strip()


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:200]
