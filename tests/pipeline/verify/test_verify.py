"""Each check of `make verify` passes on what is checked out, and fails where something is wrong."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from glassnets.errors import GlassnetsError
from glassnets.pipeline.verify import readme
from glassnets.pipeline.verify.environment import environment, requirements
from glassnets.pipeline.verify.freshness import freshness, manifests
from glassnets.pipeline.verify.rebuild import copy_project

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def checked_out(tmp_path_factory):
    """What a fresh clone of the working tree would hold."""
    folder = tmp_path_factory.mktemp("clone")
    copy_project(ROOT, folder)
    subprocess.run(["git", "init", "--quiet"], cwd=folder, check=True)
    return folder


@pytest.fixture
def inside(checked_out, monkeypatch):
    """``inside(file, old, new)`` edits a file of it, until the test ends; it is the current
    folder."""
    monkeypatch.chdir(checked_out)
    kept = {}

    def edit(name, old, new):
        path = checked_out / name
        text = path.read_text(encoding="utf-8")
        kept.setdefault(path, text)
        assert old in text
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    yield edit
    for path, text in kept.items():
        path.write_text(text, encoding="utf-8")


@pytest.mark.exhaustive
def test_a_fresh_clone_passes(inside):
    outcomes = {check.__name__: check() for check in (freshness, manifests, readme.readme)}
    assert {name: outcome.faults for name, outcome in outcomes.items()} == {
        "freshness": (),
        "manifests": (),
        "readme": (),
    }
    assert re.fullmatch(r"\d+ stages, \d+ of their outputs not here", outcomes["freshness"].message)
    assert re.fullmatch(r"\d+ manifests", outcomes["manifests"].message)


def test_this_environment_passes():
    assert environment().faults == ()


@pytest.mark.exhaustive
def test_a_changed_weight_is_named(inside, checked_out):
    weights = checked_out / "models" / "digits" / "cnn" / "seed-0.weights.h5"
    weights.parent.mkdir(parents=True)
    weights.write_bytes(b"other weights")
    try:
        faults = freshness().faults
    finally:
        shutil.rmtree(checked_out / "models")
    assert "train@digits-cnn: changed outs: models/digits/cnn (modified)" in faults
    assert all("@digits-cnn: " in fault for fault in faults)


EDITS = [
    (
        ("results/digits/metrics.csv", "cnn,accuracy,0.", "cnn,accuracy,0.9"),
        "compare@digits: changed outs: results/digits/metrics.csv (modified)",
    ),
    (
        ("src/glassnets/models/families/cnn.py", "Convolutional", "Wound"),
        "manifest: changed deps: src/glassnets (modified)",
    ),
    (
        ("manifests/planted/cnn/train.json", '"epochs": ', '"epochs": 9'),
        "train@planted-cnn: changed deps: manifests/planted/cnn/train.json (modified)",
    ),
    (
        ("params.yaml", "confidence_level: 0.95", "confidence_level: 0.9"),
        "manifest: changed deps: params.yaml (modified)",
    ),
    (
        ("dvc.yaml", "${stages}.fetch ", "python -W error -m fetch "),
        "fetch@digits: changed command",
    ),
]


@pytest.mark.exhaustive
def test_what_is_stale_is_named(inside):
    for edit, _ in EDITS:
        inside(*edit)
    faults = freshness().faults
    for _, said in EDITS:
        assert any(fault.startswith(said) for fault in faults), said


@pytest.mark.exhaustive
def test_an_edited_lock_is_named(inside, checked_out):
    """The weights themselves are not here: that their maker and reader disagree gives it away."""
    lock = (checked_out / "dvc.lock").read_text(encoding="utf-8")
    stage = lock.index("  train@digits-cnn:")
    [hash_] = re.findall(r"path: models/digits/cnn\n +hash: md5\n +md5: (\w+)", lock[stage:])[:1]
    inside("dvc.lock", lock[stage:], lock[stage:].replace(hash_, "0" * 32 + ".dir", 1))
    assert any(
        "evaluate@digits-cnn: dvc.lock says it read models/digits/cnn as" in fault
        for fault in freshness().faults
    )


@pytest.mark.parametrize(
    ("edit", "fault"),
    [
        (
            ("params.yaml", "confidence_level: 0.95", "confidence_level: 0.9"),
            "compare.json: differs",
        ),
        (("requirements.txt", "\nscipy==", "\nscipy==99."), "judge.json: differs"),
        (
            ("src/glassnets/models/training.py", "import math", "import math, re"),
            "train.json: differs",
        ),
        (("manifests/digits/sample.json", "{", "["), "expected to read"),
    ],
    ids=["a parameter", "a package", "code", "a broken manifest"],
)
def test_a_manifest_that_differs_is_named(inside, edit, fault):
    inside(*edit)
    try:
        faults = manifests().faults
    except GlassnetsError as error:
        faults = (str(error),)
    assert any(fault in each for each in faults)


def test_a_comment_changes_no_manifest(inside):
    inside("src/glassnets/models/training.py", "import math", "import math  # for the rate")
    assert manifests().faults == ()


def test_a_manifest_too_few_and_one_too_many_are_named(inside, checked_out):
    path = checked_out / "manifests" / "digits" / "sample.json"
    other = path.with_name("other.json")
    path.rename(other)
    try:
        faults = manifests().faults
    finally:
        other.rename(path)
    assert faults == (
        "manifests/digits/other.json: no stage has it",
        "manifests/digits/sample.json: absent; `dvc repro manifest` writes it",
    )


@pytest.mark.parametrize(
    ("page", "heading", "old", "new"),
    [
        ("README.md", "| family | MNIST, accuracy", "99.", "99.9"),
        ("README.zh.md", "| 网络类型 | MNIST，准确率", "99.", "99.9"),
        ("README.md", "| family | MNIST: believe first", "RISE", "occlusion"),
        ("README.zh.md", "| 网络类型 | MNIST：首先可信", "RISE", "遮挡"),
        ("docs/explanation/recipes.md", "| family | official split", "99.", "99.9"),
        ("docs/former-verdicts.md", "## digits\n\n| former method", "kept", "withdrawn: fails"),
    ],
)
def test_an_edited_cell_of_a_page_is_named_and_mended(inside, checked_out, page, heading, old, new):
    before = (checked_out / page).read_text(encoding="utf-8")
    row = readme.expected()[heading][2]
    inside(page, row, row.replace(old, new, 1))
    [fault] = readme.readme().faults
    assert re.fullmatch(rf"{re.escape(page)}, line \d+: expected {re.escape(row)}", fault)
    readme.write()
    assert (checked_out / page).read_text(encoding="utf-8") == before


def test_former_verdicts_are_kept_while_what_became_of_them_is_counted(inside):
    page, heading = "docs/former-verdicts.md", "## digits\n\n| former method"
    row = next(row for row in readme.expected()[heading] if "✗ kept |" in row)
    passed = row.replace("✗ kept |", "✓ kept |", 1)  # which is for the page to say
    inside(page, row, passed)
    of_row, *of_counts = readme.readme().faults
    assert "| ✓ withdrawn: fails |" in of_row
    assert len(of_counts) == 2


@pytest.mark.parametrize(("old", "new"), [("✗ kept |", "kept |"), ("✗ kept |", ""), (":", " ")])
def test_a_former_verdict_that_is_lost_is_not_written_over(inside, old, new):
    page, heading = "docs/former-verdicts.md", "## digits\n\n| former method"
    row = next(row for row in readme.expected()[heading] if ":" in row and "✗ kept |" in row)
    inside(page, row, row.replace(old, new, 1))
    with pytest.raises(GlassnetsError, match=rf"{page}, line \d+: expected of each family ✓ or ✗"):
        readme.write()


def test_a_row_that_is_missing_is_named_and_written(inside, checked_out):
    page = "docs/explanation/recipes.md"
    before = (checked_out / page).read_text(encoding="utf-8")
    *_, last = readme.expected()["| family | official split"]
    inside(page, f"{last}\n", "")
    [fault] = readme.readme().faults
    assert fault.endswith(f": expected {last}")
    readme.write()
    assert (checked_out / page).read_text(encoding="utf-8") == before


def test_networks_that_were_not_trained_are_missed(inside, checked_out):
    rows = (checked_out / "benchmarks" / "recipes.csv").read_text(encoding="utf-8")
    inside("benchmarks/recipes.csv", rows, rows.replace("default,cnn,official", "default,cnn,none"))
    with pytest.raises(GlassnetsError, match="expected a row of default, cnn, official, got none"):
        readme.readme()


def test_a_table_that_is_gone_is_missed(inside):
    inside("README.md", "| family | MNIST, accuracy", "| Familie | MNIST, accuracy")
    with pytest.raises(GlassnetsError, match="expected a table that begins"):
        readme.readme()


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("numpy==", "numpy>=", "requirements.txt: numpy is not pinned to one version"),
        ("keras==", "keras==99.", "keras: expected ==99."),
        ("keras==", "no-such-package==", "no-such-package: expected =="),
        ("keras==", "no-such-package==", "is installed, but pinned nowhere"),
    ],
)
def test_an_environment_that_differs_is_named(inside, old, new, said):
    inside("requirements.txt", f"\n{old}", f"\n{new}")
    assert any(said in fault for fault in environment().faults)


def test_the_requirements_of_a_compiled_file():
    text = """\
numpy==2.4.6 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
    # via -r requirements.in
pywin32==311 ; sys_platform == 'win32' \\
    --hash=sha256:cc
"""
    assert [str(r) for r in requirements(text)] == [
        "numpy==2.4.6",
        'pywin32==311; sys_platform == "win32"',
    ]
