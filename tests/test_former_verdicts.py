"""docs/former-verdicts.md says of each former verdict what the present one is."""

import re
from collections import Counter
from pathlib import Path

from glassnets.pipeline import artefacts

ROOT = Path(__file__).parents[1]
WAS = {"✓": "holds", "✗": "fails"}


def cells(text):
    """dataset, family, variant and what the page says of it, of every verdict of its tables."""
    for part in text.split("\n## ")[1:]:
        dataset, *lines = part.splitlines()
        rows = [re.split(r" *\| *", line.strip("| ")) for line in lines if line.startswith("|")]
        (_, _, *families), _, *body = rows
        for _, variant, *said in body:
            for family, word in zip(families, said, strict=True):
                if word != "–":
                    yield dataset, family, variant, word


def test_what_became_of_each_is_the_present_verdict():
    text = (ROOT / "docs" / "former-verdicts.md").read_text(encoding="utf-8")
    boards = {
        name: artefacts.load_table(ROOT / "results" / name / "leaderboards.csv").set_index(
            ["family", "method"]
        )
        for name in ("mnist", "digits", "planted")
    }
    counts = Counter()
    for dataset, family, variant, said in cells(text):
        now = boards[dataset].loc[(family, variant)]
        kept = now["verdict"] == WAS[said[0]]
        word = "kept" if kept else f"withdrawn: {now['verdict']}"
        unstable = kept and bool(now["unstable"])
        assert said[2:] == word + ", unstable" * unstable, (dataset, family, variant)
        counts[said[0], "kept" if kept else now["verdict"]] += 1
        counts["unstable"] += unstable
    passed, failed = (sum(n for key, n in counts.items() if key[0] == mark) for mark in WAS)
    for line in (
        f"Of its {passed + failed} verdicts:",
        f"- of {passed} that a method passes, {counts['✓', 'kept']} are kept (the verdict holds), "
        f"{counts['✓', 'undecided']} are withdrawn as undecided and {counts['✓', 'fails']} as ",
        f"- of {failed} that a method fails, {counts['✗', 'kept']} are kept, "
        f"{counts['✗', 'undecided']} are withdrawn as undecided and {counts['✗', 'holds']} since ",
        f"- {counts['unstable']} of those that are kept are unstable:",
    ):
        assert line in text
