"""What a sweep runs: grids, lists, the cells that they are of, what is refused beforehand."""

import re
import shlex
import subprocess

import pytest

from glassnets.errors import GlassnetsError, ParameterError
from glassnets.pipeline import artefacts
from glassnets.sweeps import plan, space
from glassnets.sweeps.plan import Cell, Plan

RATE = "digits.cnn.training.learning_rate"


def test_a_grid_has_every_combination_and_the_last_key_changes_fastest():
    assert plan.grid([f"{RATE}=0.1,0.2", "digits.seeds=[0]", "+digits.x=choice([1],[2])"]) == [
        (f"{RATE}=0.1", "digits.seeds=[0]", "+digits.x=[1]"),
        (f"{RATE}=0.1", "digits.seeds=[0]", "+digits.x=[2]"),
        (f"{RATE}=0.2", "digits.seeds=[0]", "+digits.x=[1]"),
        (f"{RATE}=0.2", "digits.seeds=[0]", "+digits.x=[2]"),
    ]
    assert plan.grid([]) == [()]


@pytest.mark.parametrize(
    "wrong", ["rate", "a=[1", "a=glob(*)", "a=range(1,5,0)", "a=shuffle(1,2)", "a=interval(0,1)"]
)
def test_what_is_no_override_is_refused_in_a_line(wrong):
    with pytest.raises(ParameterError, match="expected KEY=VALUE") as refused:
        plan.grid([wrong])
    assert "\n" not in str(refused.value)


def test_a_list_has_a_setting_a_row(tmp_path):
    table = tmp_path / "settings.csv"
    table.write_text("digits.cnn.training.epochs,digits.seeds\n3,\n,[1]\n")
    assert plan.listed(table) == [("digits.cnn.training.epochs=3",), ("digits.seeds=[1]",)]
    for wrong in ("a,b\n", "a,b\n1,2\n,\n", "", "a,b\n1,2,\n", "a,b\n1\n", "a,b\n[64,32],2\n"):
        table.write_text(wrong)
        with pytest.raises(ParameterError, match=r"^--settings: expected"):
            plan.listed(table)
    with pytest.raises(ParameterError, match=r"^--settings: expected a CSV table, got"):
        plan.listed(tmp_path / "none.csv")


def test_a_list_from_a_spreadsheet_is_read(tmp_path):
    table = tmp_path / "settings.csv"
    table.write_bytes("\ufeffdigits.cnn.training.epochs\r\n3\r\n4\r\n\r\n".encode())
    assert plan.listed(table) == [
        ("digits.cnn.training.epochs=3",),
        ("digits.cnn.training.epochs=4",),
    ]


@pytest.mark.parametrize("again", [f"{RATE}=0.3", f"+{RATE}=0.3", f"{RATE}=0.1,0.2"])
def test_a_key_that_is_named_twice_is_refused(again):
    with pytest.raises(ParameterError, match=f"expected each key once, as {RATE}=first,second"):
        plan.grid([f"{RATE}=0.1,0.2", again])
    with pytest.raises(ParameterError, match="expected each key once"):
        space.parse([f"{RATE}=0.1,0.2", again])
    twice = ((f"{RATE}=0.1", again.partition(",")[0]),)
    asked = Plan("c0ffee", "train", (Cell("digits", "cnn"),), twice, (0,))
    with pytest.raises(ParameterError, match="expected each key once"):
        plan.check(asked, artefacts.root())


@pytest.mark.parametrize(
    ("overrides", "families"),
    [
        ([f"{RATE}=0.1"], {"cnn"}),
        ([f"+{RATE}=0.1", "digits.lstm.training.epochs=3"], {"cnn", "lstm"}),
        (["digits.training.batch_size=16"], {"cnn", "lstm", "feedforward", "attention", "spiking"}),
        (["digits.max_images=100"], {"cnn", "lstm", "feedforward", "attention", "spiking"}),
    ],
)
def test_the_cells_are_those_that_settings_change(overrides, families, parameters):
    found = plan.cells([], [tuple(overrides)], parameters)
    assert found
    assert {cell.dataset for cell in found} == {"digits"}
    assert {cell.family for cell in found} == families


def test_what_many_datasets_share_needs_cells_named(parameters):
    setting = [("defaults.training.weight_decay=0.1",)]
    with pytest.raises(ParameterError, match=r"^--cell: expected the cells to run, as defaults"):
        plan.cells([], setting, parameters)
    assert plan.cells(["digits-cnn"], setting, parameters) == (Cell("digits", "cnn"),)
    with pytest.raises(ParameterError, match=r"^--cell: expected one of .*, got 'digits-rnn'"):
        plan.cells(["digits-rnn"], setting, parameters)


def test_every_cell_is_run_under_every_setting_and_seed():
    cells = Cell("digits", "cnn"), Cell("planted", "cnn")
    asked = Plan("c0ffee", "train", cells, (("a=1",), ("a=2",)), (3, 4))
    tasks = asked.tasks()
    assert len(tasks) == len({task.digest for task in tasks}) == 8
    assert tasks[3].overrides == ("a=1", "++digits.seeds=[4]", "++planted.seeds=[4]")
    assert tasks[3].stage == "train@planted-cnn"
    assert tasks[3].cell == ("planted", "cnn")
    assert asked.digest != asked._replace(seeds=(4, 3)).digest
    assert asked.digest == Plan(*asked).digest


def test_a_field_of_a_list_is_one_override(tmp_path):
    table = tmp_path / "settings.csv"
    for wrong in ('a,b\n"1,2",3\n', "learning rate,b\n1,2\n", "a,b\n[,2\n"):
        table.write_text(wrong)
        with pytest.raises(ParameterError, match="expected") as refused:
            plan.listed(table)
        assert "\n" not in str(refused.value)
    table.write_text('a,b\n"[64,32]",3\n')
    assert plan.listed(table) == [("a=[64,32]", "b=3")]


@pytest.mark.parametrize(
    ("override", "message"),
    [
        (f"{RATE}=${{nope}}", "expected keys of params.yaml"),
        (f"{RATE}=???", "expected"),
        ("digits.seeds=[5]", "expected seeds as --seeds"),
        ("+defaults.seeds=[5]", "expected seeds as --seeds"),
        ("digits.cnn.training.learning_rat=0.1", "expected keys of params.yaml"),
        (f"{RATE}=fast", "digits.cnn.training.learning_rate: expected a number, got"),
        (f"{RATE}=1,2", "expected"),
    ],
)
def test_a_setting_that_params_yaml_cannot_have_is_refused(override, message):
    asked = Plan("c0ffee", "train", (Cell("digits", "cnn"),), ((f"{RATE}=0.1",), (override,)), (0,))
    with pytest.raises(ParameterError, match=message) as refused:
        plan.check(asked, artefacts.root())
    assert "\n" not in str(refused.value)


def test_seeds_that_none_can_have_are_refused():
    asked = Plan("c0ffee", "train", (Cell("digits", "cnn"),), ((f"{RATE}=0.1",),), (0, -1))
    with pytest.raises(ParameterError, match=r"digits.seeds.*got -1"):
        plan.check(asked, artefacts.root())


def test_what_differs_from_the_commit_is_refused(tmp_path):
    def git(*words):
        identity = ["-c", "user.name=test", "-c", "user.email=test@localhost"]
        subprocess.run(["git", "-C", tmp_path, *identity, *words], check=True, capture_output=True)

    with pytest.raises(GlassnetsError, match=r"^expected a commit"):
        plan.commit(tmp_path)
    git("init")
    (tmp_path / "params.yaml").write_text("a: 1\n")
    (tmp_path / "README.md").write_text("read me\n")
    git("add", ".")
    git("commit", "-m", "all")
    assert len(plan.commit(tmp_path)) == 40
    (tmp_path / "README.md").write_text("read me too\n")
    plan.commit(tmp_path)  # no task reads it
    (tmp_path / "params.yaml").write_text("a: 2\n")
    with pytest.raises(GlassnetsError, match=r"got changes in params.yaml: git commit"):
        plan.commit(tmp_path)


@pytest.mark.exhaustive
def test_what_the_guide_says_can_be_run():
    text = (artefacts.root() / "docs" / "guides" / "sweeps.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```sh\n(.*?)```", text.replace("\\\n", ""), re.DOTALL)
    lines = [shlex.split(line) for block in blocks for line in block.splitlines()]
    ours = [line for line in lines if line[0] == "glassnets" and "…" not in line]
    assert [line[1] for line in ours] == ["sweep", "search", "sweep"]
    for _, command, *words in ours:
        given = [word for word in words if "=" in word]
        chosen, fixed = space.parse(given)
        settings = [(*fixed, *space.overrides(each)) for each in space.corners(chosen)]
        if command == "sweep":
            assert len(plan.grid(given)) > 1
        asked = Plan("c0ffee", "train", (Cell("digits", "cnn"),), tuple(settings), (0,))
        plan.check(asked, artefacts.root())
