"""glassnets explain, on small untrained networks in a project of its own."""

import functools
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

from glassnets.apps import command, explain
from glassnets.attribution.methods import METHODS
from glassnets.pipeline import artefacts

ROOT = Path(__file__).parents[2]


@pytest.fixture
def run(untrained_project, tmp_path, monkeypatch, capsys):
    """``run(*arguments)``: (exit code, standard output, standard error), in a copy."""
    shutil.copytree(untrained_project, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)

    def run(*arguments):
        monkeypatch.setattr(sys, "argv", ["glassnets", "explain", *map(str, arguments)])
        with pytest.raises(SystemExit) as left:
            command.main()
        out, err = capsys.readouterr()
        return left.value.code, out, err

    return run


DIGITS = ("one.png", "--dataset", "digits")


def error(ran, code):
    """The message of a run that failed, having written nothing."""
    assert ran[0] == code, ran
    assert ran[1] == ""
    assert len(ran[2].splitlines()) == 1, ran[2]
    assert not list(Path.cwd().glob("*explained*"))
    assert not list(Path.cwd().glob(".*"))
    return ran[2].removeprefix("error: ").rstrip()


def write_leaderboard(family, *rows):
    path = artefacts.results("digits", family) / "leaderboard.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    head = "method,control,verdict,share,unstable,reasons,rank"
    path.write_text("\n".join([head, *rows]), encoding="utf-8")


def explained(out):
    """The families and methods that the output names, in their order."""
    return re.findall(r"^ {0,2}([\w:]+)(?: \(seed|: )", out, re.MULTILINE)


def test_one_picture_one_network_one_method(run):
    code, out, err = run(*DIGITS)
    assert (code, err) == (0, "")
    lines = out.splitlines()
    assert lines[0] == "read as dark on light: inverted"
    assert lines[1].startswith("the ink fitted into 8×8 pixels")
    assert lines[2].startswith("cnn (seed 0) predicts ")
    assert lines[3] == (
        "  integrated_gradients:mean: holds, and under 80 % of the choices; rank 2 of 3 by score"
    )
    assert lines[4] == "    infidelity ↓: 0.10 (0.05 to 0.20)"
    assert lines[-1] == "wrote one-explained.png"
    with Image.open("one-explained.png") as figure:
        assert figure.format == "PNG"


def test_grey_images_have_no_parts_by_channel(run):
    assert error(run(*DIGITS, "--by-channel"), 2) == (
        "--by-channel: expected RGB images or series of several channels, got a grey image "
        "(uint8, 8 × 8 pixels)"
    )


def test_by_default_each_family_is_explained_by_its_best_supported_variant(run):
    failed, undecided, held = (
        "fails,0,False,x",
        "undecided,0.2,True,undecided: x",
        "holds,0.8,False,",
    )
    write_leaderboard(
        "cnn",
        f"rise:blur,False,{failed},1",
        f"gradient,False,{undecided},2",
        f"occlusion:blur,False,{held},4",
        f"occlusion:mean,False,{held},3",
    )
    write_leaderboard("lstm", f"gradient,False,{failed},1", f"rise:mean,False,{undecided},2")
    write_leaderboard("attention", "edges,True,,,False,,")
    code, out, err = run(*DIGITS, "--family", "all")
    assert (code, err) == (0, "")
    assert explained(out) == [
        *("attention", "integrated_gradients:black"),  # a leaderboard of controls alone
        *("cnn", "occlusion:mean"),
        *("feedforward", "integrated_gradients:black"),  # no leaderboard
        *("lstm", "rise:mean"),
        *("spiking", "integrated_gradients:black"),
    ]


FIRST = """family,removal,variants,alone
cnn,black,occlusion:blur,undecided
cnn,mean,"rise:black, occlusion:blur","holds, fails"
cnn,all,depends on the removal,
lstm,black,rise:mean,holds
lstm,all,rise:mean,
"""


def test_it_says_so_where_another_removal_has_another_answer(run):
    path = artefacts.results("digits") / "first.csv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(FIRST, encoding="utf-8")
    every = "--family", "cnn", "--family", "lstm"
    said = (
        "cnn: which to believe first depends on how pixels are removed: black: occlusion:blur (?); "
        "mean: rise:black, occlusion:blur (✗). (?): undecided by that removal alone. (✗): fails by "
        "that removal alone."
    )
    code, out, _ = run(*DIGITS, *every)
    assert code == 0
    assert [line for line in out.splitlines() if "believe" in line] == [said]
    assert "believe" not in run(*DIGITS, *every, "--method", "gradient")[1]  # which was asked for
    path.write_text(FIRST.replace("alone", "by itself"), encoding="utf-8")
    Path("one-explained.png").unlink()
    assert error(run(*DIGITS, *every), 1).endswith(
        "got another table: `make run DATASET=digits` writes it"
    )


def test_several_networks_and_methods(run):
    requested = ["--family", "lstm", "--family", "cnn", "--family", "lstm"]
    code, out, err = run(*DIGITS, *requested, "--method", "edges", "--method", "gradient")
    assert (code, err) == (0, "")
    assert re.findall(r"^(.+) predicts", out, re.MULTILINE) == ["lstm (seed 0)", "cnn (seed 0)"]
    assert out.count("edges: a control") == 2
    assert "gradient: no verdict yet: `make run DATASET=digits`" in out
    assert "gradient: undecided whether above edges (some 300 images would tell)" in out


@pytest.mark.parametrize(
    ("arguments", "variants"),
    [
        # The verdict on black fails, though it ranks first.
        (["--method", "integrated_gradients"], ["integrated_gradients:mean"]),
        (["--method", "integrated_gradients:black"], ["integrated_gradients:black"]),
        (["--method", "occlusion"], ["occlusion:black"]),  # the leaderboard has none
        (["--reference", "black"], ["integrated_gradients:black"]),  # the best with this one
        (["--reference", "blur"], ["integrated_gradients:blur"]),  # no leaderboard has one
        (
            ["--reference", "blur", "--method", "occlusion:mean", "--method", "rise"],
            ["occlusion:mean", "rise:blur"],
        ),
        (
            ["--reference", "blur", "--method", "gradient", "--method", "rise"],
            ["gradient", "rise:blur"],
        ),
        (
            ["--method", "integrated_gradients", "--method", "integrated_gradients:mean"],
            ["integrated_gradients:mean"],
        ),
    ],
)
def test_which_variants_are_meant(run, arguments, variants):
    code, out, err = run(*DIGITS, *arguments)
    assert (code, err) == (0, "")
    assert explained(out) == ["cnn", *variants]


def test_each_family_has_its_own_best_reference(run):
    write_leaderboard("lstm", "occlusion:blur,False,holds,1,False,,1")
    write_leaderboard("cnn", "occlusion:mean,False,holds,1,False,,1")
    arguments = ["--family", "cnn", "--family", "lstm", "--method", "occlusion"]
    assert explained(run(*DIGITS, *arguments)[1]) == [
        *("cnn", "occlusion:mean", "lstm", "occlusion:blur")
    ]


def test_all_methods_with_a_reference_are_those_that_take_it_and_the_others(untrained_project):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(untrained_project)
        names = explain._variants("digits", "cnn", list(METHODS), "draws", leave_out=True)
    assert [name.partition(":")[0] for name in names] == list(METHODS)
    of_draws = {name.partition(":")[0] for name in names if name.endswith(":draws")}
    assert of_draws == {n for n, method in METHODS.items() if "draws" in method.references}
    assert "difference:black" in names  # which cannot take draws


def test_the_reference_changes_the_map(run):
    for name, arguments in (("a", []), ("b", []), ("c", ["--reference", "blur"])):
        assert run(*DIGITS, "--method", "occlusion", *arguments, "--output", f"{name}.png")[0] == 0
    a, b, c = (Path(f"{name}.png").read_bytes() for name in "abc")
    assert a == b
    assert a != c


@pytest.mark.exhaustive
def test_all_of_both(run):
    """Every method runs by every family it is defined for, with the options of params.yaml."""
    code, out, err = run(*DIGITS, "--family", "all", "--method", "all")
    assert code == 0
    rows = {line.partition("  ")[0] for line in out.splitlines()}
    assert {name.replace("_", " ") for name in METHODS} <= rows
    with Image.open("one-explained.png") as figure:
        assert max(figure.size) <= 2000
    assert sorted(line.split(":")[0] for line in err.splitlines()) == [
        f"not defined for {name}, left out"
        for name in ("attention", "cnn", "feedforward", "lstm", "spiking")
    ]


@pytest.mark.exhaustive
def test_families_that_predict_the_same_share_the_maps_of_controls(run, monkeypatch):
    calls = {"edges": 0, "gradient": 0}
    for name in calls:
        method = METHODS[name]

        def counted(*arguments, name=name, function=method.function):
            calls[name] += 1
            return function(*arguments)

        monkeypatch.setattr(method, "function", functools.wraps(method.function)(counted))
    requested = ["--family", "all", "--method", "edges", "--method", "gradient", "--target", 3]
    code, out, err = run(*DIGITS, *requested)
    assert (code, err) == (0, "")
    assert calls == {"edges": 1, "gradient": 5}
    assert len([line for line in out.splitlines() if "predicts" in line]) == 5


def test_the_options_are_those_of_params_yaml(run, monkeypatch):
    given = []
    method = METHODS["integrated_gradients"]
    kept = method.function
    watched = functools.wraps(kept)(lambda *a: given.append(a[3:]) or kept(*a))
    monkeypatch.setattr(method, "function", watched)
    text = Path("params.yaml").read_text(encoding="utf-8")
    text = re.sub(r"(integrated_gradients: \{steps): \d+", r"\1: 3", text)
    Path("params.yaml").write_text(text, encoding="utf-8")
    assert run(*DIGITS)[0] == 0
    [(options, seed)] = given
    assert (options.steps, options.reference, seed) == (3, "mean", 0)


def test_the_requested_class_is_explained(run):
    predicted = int(run(*DIGITS)[1].split("predicts ")[1][0])
    other = (predicted + 1) % 10
    assert f"; explained: {other}" in run(*DIGITS, "--target", other)[1]
    assert "; explained" not in run(*DIGITS, "--target", predicted)[1]


def test_the_predicted_class_is_contrasted_with_another(run):
    predicted = int(run(*DIGITS)[1].split("predicts ")[1][0])
    other = (predicted + 1) % 10
    code, out, err = run(*DIGITS, "--contrast", other, "--output", "contrast.png")
    assert (code, err) == (0, "")
    assert f"; explained: why {predicted} and not {other}\n" in out
    assert Path("contrast.png").read_bytes() != Path("one-explained.png").read_bytes()
    out = run(*DIGITS, "--target", other, "--contrast", predicted)[1]
    assert f"; explained: why {other} and not {predicted}\n" in out


def test_a_contrast_with_the_predicted_class_is_refused(run):
    predicted = int(run(*DIGITS)[1].split("predicts ")[1][0])
    Path("one-explained.png").unlink()
    assert error(run(*DIGITS, "--contrast", predicted), 2) == (
        f"--contrast: expected another class than cnn predicts, got {predicted}: give a --target"
    )


def test_the_flag_of_inversion(run):
    assert run(*DIGITS, "--invert")[1].startswith("inverted, as requested\n")
    assert "lighter than the paper" in run(*DIGITS, "--no-invert")[2]


def test_the_figure_is_written_over_ours_alone(run):
    assert run(*DIGITS, "--output", "figure.png")[0] == 0
    first = Path("figure.png").read_bytes()
    assert run(*DIGITS, "--output", "figure.png")[0] == 0
    assert Path("figure.png").read_bytes() == first
    before = Path("one.png").read_bytes()
    message = error(run(*DIGITS, "--output", "one.png"), 2)
    assert message == (
        "--output: expected a new file, or a figure that this command wrote, to write over, "
        "got one.png"
    )
    assert Path("one.png").read_bytes() == before


WRONG = {
    "dataset": ("one.png", "--dataset", "cifar"),
    "family": (*DIGITS, "--family", "transformer"),
    "method": (*DIGITS, "--method", "lime"),
    "no method": (*DIGITS, "--method", ""),
    "method's reference": (*DIGITS, "--method", "rise:grey"),
    "reference of a method without": (*DIGITS, "--method", "gradient:mean"),
    "reference": (*DIGITS, "--reference", "grey"),
    "no reference": (*DIGITS, "--reference", ""),
    "reference for no method": (*DIGITS, "--reference", "mean", "--method", "gradient"),
    "reference that a control lacks": (*DIGITS, "--reference", "draws", "--method", "difference"),
    "contrast": (*DIGITS, "--contrast", "10"),
    "negative contrast": (*DIGITS, "--contrast", "-1"),
    "contrast with itself": (*DIGITS, "--target", "3", "--contrast", "3"),
    "seed": (*DIGITS, "--seed", "7"),
    "target": (*DIGITS, "--target", "10"),
    "negative target": (*DIGITS, "--target", "-1"),
    "suffix": (*DIGITS, "--output", "figure.pdf"),
    "folder": (*DIGITS, "--output", "none/figure.png"),
    "folder itself": (*DIGITS, "--output", "folder.png"),
    "image": ("none.png", "--dataset", "digits"),
    "image's folder": (".", "--dataset", "digits"),
}


@pytest.mark.parametrize("arguments", WRONG.values(), ids=WRONG)
def test_what_cannot_be_is_refused_before_tensorflow_is_loaded(run, monkeypatch, arguments):
    Path("folder.png").mkdir()
    monkeypatch.setattr(explain.runtime, "start_tensorflow", None)
    assert ": expected " in error(run(*arguments), 2)


def test_files_that_are_no_pictures_are_refused(run, monkeypatch):
    monkeypatch.setattr(explain.runtime, "start_tensorflow", None)
    Path("empty.png").touch()
    Path("text.png").write_text("no picture")
    Path("broken.png").write_bytes(Path("one.png").read_bytes()[:-40])
    for name in ("empty.png", "text.png", "broken.png"):
        assert error(run(name, "--dataset", "digits"), 1).startswith(f"{name}: expected a")


@pytest.mark.parametrize("arguments", [["--seed", "1"], ["--dataset", "mnist"]])
def test_the_command_that_trains_an_absent_network_is_named(run, arguments):
    message = error(run(*DIGITS, *arguments), 1)
    dataset = "digits" if "--seed" in arguments else "mnist"
    assert message.endswith(f"got none: `make run DATASET={dataset}` trains it")


def test_without_a_dataset_the_first_that_has_networks_is_taken(run):
    code, out, err = run("one.png")
    assert (code, err) == (0, "--dataset: digits, the first that has networks here\n")
    again = run(*DIGITS)[1]
    assert again == out.replace("-explained.png", "-explained.png over the one of before")
    Path("models", "planted", "cnn").mkdir(parents=True)
    Path("models", "digits").rename(Path("models", "other"))
    assert run("one.png")[2].startswith("--dataset: planted, the first")


def test_without_any_networks_the_command_that_trains_some_is_named(run):
    shutil.rmtree("models")
    assert error(run("one.png"), 2) == (
        "--dataset: expected one that has networks here, of digits, planted, mnist, got none: "
        "`make run DATASET=…` trains them"
    )


def test_other_weights_are_refused(run):
    lstm, cnn = (Path("models", "digits", name, "seed-0.weights.h5") for name in ("lstm", "cnn"))
    shutil.copy(lstm, cnn)
    assert "seed-0.weights.h5, got: it is broken" in error(run(*DIGITS), 1)


@pytest.mark.parametrize("method", [[], ["--method", "gradient"]])
@pytest.mark.parametrize(
    "row",
    [
        "what,is,this,row,or,that,1",
        "gradient,False,,0.5,False,x,1",
        "gradient,False,passes,1,False,,1",
        "",
    ],
)
def test_a_broken_leaderboard_is_refused(run, row, method):
    write_leaderboard("cnn", row)
    assert "make run DATASET=digits" in error(run(*DIGITS, *method), 1)


def test_a_method_without_what_it_needs(run):
    message = error(run(*DIGITS, "--method", "attention_rollout"), 2)
    assert message.startswith(
        "--method: attention_rollout is not defined for cnn: it needs attention"
    )
    code, out, err = run(*DIGITS, "--family", "all", "--method", "attention_rollout")
    assert code == 0
    assert "attention (seed 0)" in out
    assert "cnn" not in out
    assert "not defined for cnn, left out: attention_rollout\n" in err


def test_training_images_are_read_only_where_a_method_needs_them(run):
    shutil.rmtree("data")
    assert "train.npz" in error(run(*DIGITS, "--method", "occlusion:draws"), 1)
    assert run(*DIGITS, "--method", "gradient")[0] == 0


def test_outside_of_a_project(run):
    Path("dvc.yaml").unlink()
    assert "expected to run inside the project" in error(run(*DIGITS), 2)


def test_a_full_disk_leaves_nothing(run, monkeypatch):
    def fail(*_):
        raise OSError(28, "No space left on device", "here")

    monkeypatch.setattr(Path, "write_bytes", fail)
    assert error(run(*DIGITS), 1) == "No space left on device: here"


def test_a_wrong_argument_is_refused_without_importing_tensorflow(run):
    ran = subprocess.run(
        [
            sys.executable,
            "-X",
            "importtime",
            "-m",
            "glassnets.apps.command",
            "explain",
            "one.png",
            "--seed",
            "9",
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert "--seed: expected one of 0, 1, 2" in ran.stderr
    loaded = {line.split("|")[-1].strip() for line in ran.stderr.splitlines()}
    assert "numpy" in loaded
    assert not loaded & {"tensorflow", "keras", "sklearn", "mlflow"}
    assert "Traceback" not in ran.stderr
