"""The tables of README, its translation and docs/, and results/."""

from collections.abc import Iterable
from itertools import takewhile, zip_longest

import pandas as pd
from scipy.stats import gmean

from glassnets.attribution.references import REMOVALS
from glassnets.attribution.verdicts import FAILS, HOLDS, UNDECIDED, VALUES
from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts
from glassnets.pipeline.verify import Outcome
from glassnets.report import languages
from glassnets.report.formats import ends, interval_of, mean_and_sd
from glassnets.report.verdicts import marked

_DATASETS = ("mnist", "digits", "planted")
_FAMILIES = ("feedforward", "lstm", "cnn", "attention")  # of the article, and of every dataset
_BOTH = (*_FAMILIES, "spiking")  # of MNIST and digits
_WAS = {"✓": ("passed", HOLDS), "✗": ("failed", FAILS)}  # of former verdicts, by their mark
_FORMER = "## {}\n\n| former method"  # of docs/former-verdicts.md


def readme() -> Outcome:
    """Do the tables of README and docs/ say what results/ say?"""
    tables = expected()
    faults = []
    for heading, rows in tables.items():
        page, place, present = _found(heading)
        faults += [
            f"{page}, line {number}: expected {row or 'no further row'}"
            for number, (line, row) in enumerate(zip_longest(present, rows), start=place + 1)
            if line != row
        ]
    return Outcome(tuple(faults), f"{sum(map(len, tables.values()))} rows of {len(tables)} tables")


def write() -> None:
    """Puts the rows that results/ give in the place of those that the pages have."""
    for heading, rows in expected().items():
        page, place, present = _found(heading)
        lines = _lines(page)
        lines[place : place + len(present)] = rows
        with artefacts.replacing(artefacts.root() / page) as (partial,):
            partial.write_text("\n".join(lines) + "\n", encoding="utf-8")


def _found(heading: str) -> tuple[str, int, list[str]]:
    """The page that has the table that begins so, how many lines are above its rows, its rows."""
    above = heading.count("\n")
    root = artefacts.root()
    paths = sorted([*root.glob("README*.md"), *root.glob("docs/**/*.md")])
    found = []
    for page in (str(path.relative_to(root)) for path in paths):
        lines = _lines(page)
        begins = ("\n".join(lines[i : i + above + 1]) for i in range(len(lines)))
        places = [i + above + 2 for i, each in enumerate(begins) if each.startswith(heading)]
        found += [(page, i, [*takewhile(_is_row, lines[i:])]) for i in places]
    if len(found) != 1:
        raise GlassnetsError(
            f"README.md, docs/: expected a table that begins {heading!r}, "
            f"got {len(found) or 'none'}"
        )
    return found[0]


def _is_row(line: str) -> bool:
    return line.startswith("|")


def _lines(page: str) -> list[str]:
    return (artefacts.root() / page).read_text(encoding="utf-8").splitlines()


def expected() -> dict[str, list[str]]:
    """The rows of each table, by how its heading begins, or the lines down to it."""
    accuracies = _accuracies()
    former = {dataset: _former(dataset) for dataset in _DATASETS}
    tables: dict[str, list[tuple[str, ...]]] = {
        "| family | MNIST, accuracy": accuracies,
        "| 网络类型 | MNIST，准确率": accuracies,  # of README.zh.md
        "| family | MNIST: believe first": [_first(family, "en") for family in _BOTH],
        "| 网络类型 | MNIST：首先可信": [_first(family, "zh") for family in _BOTH],
        "| family | official split": [_against_the_article(family) for family in _FAMILIES],
        "| family | holds / undecided / fails": [_beliefs(f) for f in _BOTH],
        "| family | MNIST: method / reference": [_spread(f) for f in _BOTH],
        **{_FORMER.format(dataset): rows for dataset, rows in former.items()},
        "| former verdict | kept": _counts(former.values()),
    }
    return {heading: [f"| {' | '.join(row)} |" for row in rows] for heading, rows in tables.items()}


def _accuracies() -> list[tuple[str, ...]]:
    mnist, digits = (
        artefacts.load_table(artefacts.results(dataset) / "comparison.csv").set_index("family")
        for dataset in ("mnist", "digits")
    )
    rows: list[tuple[str, ...]] = []
    for family in mnist.index:  # the most accurate first
        row = []
        for own in (mnist.loc[family], digits.loc[family]):
            row.append(mean_and_sd({"mean": own["accuracy"], "sd": own["accuracy_sd"]}))
            row.append(ends(own["accuracy_ci_low"], own["accuracy_ci_high"]))
        rows.append((family, *row, f"{mnist.loc[family, 'parameters']:,}"))
    return rows


def _against_the_article(family: str) -> tuple[str, ...]:
    accuracies = []
    for recipe in ("default", "snippet"):
        own = _trained(recipe, family, "official")["test_accuracy"]
        accuracies.append(mean_and_sd({"mean": own.mean(), "sd": own.std()}))
    race, snippet = (
        _trained(recipe, family, "random")["cpu_seconds_to_goal"] for recipe in ("race", "snippet")
    )
    ratios = (race / snippet).dropna()
    return (family, *accuracies, f"{gmean(ratios):.2f} ({len(ratios)} seeds)")


def _trained(recipe: str, family: str, split: str) -> pd.DataFrame:
    """These networks of the benchmark, by seed."""
    measured = artefacts.load_table(artefacts.root() / "benchmarks" / "recipes.csv")
    found = measured.query("recipe == @recipe and family == @family and split == @split")
    if found.empty:
        command = "official" if split == "official" else "races"
        raise GlassnetsError(
            f"benchmarks/recipes.csv: expected a row of {recipe}, {family}, {split}, got none: "
            f"run python benchmarks/recipes.py {command}"
        )
    return found.set_index("seed")


def _beliefs(family: str) -> tuple[str, ...]:
    mnist = _cell("mnist", "leaderboards", family)
    verdicts = mnist[~mnist["control"]]["verdict"]
    counts = " / ".join(str((verdicts == value).sum()) for value in VALUES)
    first = _cell("mnist", "first", family)
    by_removal = dict(zip(first["removal"], marked(first), strict=True))
    return (family, counts, *(by_removal[removal] for removal in (*REMOVALS, "all")))


def _first(family: str, language: str) -> tuple[str, ...]:
    """Of MNIST and digits which variant to believe first, and how many verdicts hold, in brackets
    how many of these are unstable."""
    texts = []
    for dataset in ("mnist", "digits"):
        board = _cell(dataset, "leaderboards", family)
        variants = board[~board["control"]]
        holds = variants[variants["verdict"] == HOLDS]
        own = _cell(dataset, "first", family).query("removal == 'all'")
        [first] = own["variants"]
        names = first.split(", ")
        if {*names} <= {*board["method"]}:
            said = languages.joined(map(languages.variant, names))
        else:  # none holds, or depends on the removal
            said = languages.say(first)
        texts.append(getattr(said, language))
        texts.append(f"{len(holds)} / {len(variants)} ({holds['unstable'].sum()})")
    return (family, *texts)


def _spread(family: str) -> tuple[str, ...]:
    texts: list[str] = []
    for dataset in _DATASETS:
        shares = _cell(dataset, "shares", family).query("removal == 'all'").set_index("factor")
        if shares.empty:  # planted has no spiking networks
            return (family, *texts, "–", "–")
        named = shares.loc[["method", "reference", "reference × removal"], "share"]
        texts.append(" / ".join(f"{100 * share:.0f}" for share in named))
    planted = _cell("planted", "leaderboards", family)
    held = planted[planted["verdict"] == VALUES[0]].sort_values("average_precision")
    best = "none"
    if len(held):
        own = held.iloc[-1]
        best = f"{own['method']}, {interval_of(own, 'average_precision')}"
    control = planted.loc[planted["control"], "average_precision"].max()
    return (family, *texts, f"{best}; {control:.2f}")


def _former(dataset: str) -> list[tuple[str, ...]]:
    """Of each former verdict on a dataset what it was, which its page alone says, and what the
    verdict on the variant that is alike now is."""
    page, place, present = _found(_FORMER.format(dataset))
    boards = [_cell(dataset, "leaderboards", f).set_index("method") for f in _FAMILIES]
    rows = []
    for number, line in enumerate(present, start=place + 1):
        method, variant, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        try:
            each = zip(cells, boards, strict=True)
            became = [_became(cell, board, variant) for cell, board in each]
        except (ValueError, KeyError):
            raise GlassnetsError(
                f"{page}, line {number}: expected of each family ✓ or ✗, what {variant} was, or – "
                f"where it has no such variant, got {line}"
            ) from None
        rows.append((method, variant, *became))
    return rows


def _became(cell: str, board: pd.DataFrame, variant: str) -> str:
    """``✓ kept, unstable``, ``✗ withdrawn: undecided``; – where a family had no such method."""
    if cell == "–":
        return cell
    mark = cell[:1]
    (_, was), now = _WAS[mark], board.loc[variant]
    if now["verdict"] != was:
        return f"{mark} withdrawn: {now['verdict']}"
    return f"{mark} kept, unstable" if now["unstable"] else f"{mark} kept"


def _counts(tables: Iterable[list[tuple[str, ...]]]) -> list[tuple[str, ...]]:
    """How many former verdicts were kept, how many of these are unstable, and how many are now
    undecided, and the opposite."""
    cells = [cell for rows in tables for _, _, *own in rows for cell in own]
    counted = []
    for mark, (former, _) in _WAS.items():
        own = [cell[2:] for cell in cells if cell[0] == mark]
        unstable, undecided = own.count("kept, unstable"), own.count(f"withdrawn: {UNDECIDED}")
        kept = own.count("kept") + unstable
        counts = (kept, unstable, undecided, len(own) - kept - undecided)
        counted.append((f"{mark} {former}", *map(str, counts)))
    return counted


def _cell(dataset: str, name: str, family: str) -> pd.DataFrame:
    """A family's rows of a dataset's table."""
    table = artefacts.load_table(artefacts.results(dataset) / f"{name}.csv")
    return table[table["family"] == family]
