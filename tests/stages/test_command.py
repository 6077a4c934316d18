"""The command line that all stages share: arguments, exit codes, one line for a person."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from glassnets import registry
from glassnets.errors import GlassnetsError, ParameterError
from glassnets.stages import command

OURS = (Path(__file__).parents[2] / "params.yaml").read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of nothing but the parameters; one works inside it."""
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "params.yaml").write_text(OURS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def leave(project, monkeypatch, capsys):
    """Runs a command line with these arguments: (exit code, standard error, what work was given).

    Work raises ``error`` if there is one.
    """

    def leave(run, *arguments, error=None):
        given = []

        def work(*asked):
            """Does nothing but listen."""
            given.append(asked)
            if error is not None:
                raise error

        monkeypatch.setattr(sys, "argv", ["stage", *arguments])
        with pytest.raises(SystemExit) as left:
            run(work)
        return left.value.code, capsys.readouterr().err, given

    return leave


def written(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_work_is_given_parameters_and_arguments(leave):
    code, err, [(params, dataset)] = leave(command.run_dataset, "digits")
    assert (code, err, dataset) == (0, "", "digits")
    assert params.dataset("digits").classes == 10
    code, err, [(params, dataset, family)] = leave(command.run_cell, "mnist", "lstm")
    assert (code, err, dataset, family) == (0, "", "mnist", "lstm")


def test_the_parameters_are_the_projects_from_any_folder_within(leave, project, monkeypatch):
    (project / "results").mkdir()
    monkeypatch.chdir(project / "results")
    assert leave(command.run_dataset, "digits")[0] == 0


DATASETS = f"datasets: expected one of {', '.join(registry.names('datasets'))}, got "
FAMILIES = f"families: expected one of {', '.join(registry.names('families'))}, got "


@pytest.mark.parametrize(
    ("run", "arguments", "message"),
    [
        (command.run_dataset, ["cifar"], DATASETS + "'cifar'"),
        (command.run_dataset, ["Digits"], DATASETS + "'Digits'"),
        (command.run_dataset, [""], DATASETS + "''"),
        (command.run_dataset, ["../digits"], DATASETS + "'../digits'"),
        (command.run_dataset, ["__init__"], DATASETS + "'__init__'"),
        (command.run_dataset, ["a\nb"], DATASETS + r"'a\nb'"),
        (command.run_cell, ["digits", "transformer"], FAMILIES + "'transformer'"),
        (command.run_cell, ["cnn", "digits"], DATASETS + "'cnn'"),
        (command.run_cell, ["digits", "digits"], FAMILIES + "'digits'"),
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(leave, run, arguments, message):
    assert leave(run, *arguments) == (2, f"error: {message}\n", [])


@pytest.mark.parametrize(
    ("run", "arguments"),
    [
        (command.run_dataset, []),
        (command.run_dataset, ["digits", "cnn"]),
        (command.run_dataset, ["--force", "digits"]),
        (command.run_cell, []),
        (command.run_cell, ["digits"]),
        (command.run_cell, ["digits", "cnn", "0"]),
    ],
)
def test_arguments_too_few_too_many_or_unknown(leave, run, arguments):
    code, err, given = leave(run, *arguments)
    assert code == 2
    assert "Usage" in err
    assert given == []


def test_help_tells_what_the_stage_does(project, monkeypatch, capsys):
    def work(params, dataset):
        """Weighs the digits."""

    monkeypatch.setattr(sys, "argv", ["stage", "--help"])
    with pytest.raises(SystemExit) as left:
        command.run_dataset(work)
    assert left.value.code == 0
    said = capsys.readouterr().out
    assert "Weighs the digits." in said
    assert "DATASET" in said


@pytest.mark.parametrize("missing", ["dataset 'digits'", "family 'cnn'"])
def test_what_params_hold_no_group_for_is_refused_before_any_work(leave, project, missing):
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load(OURS)
    if missing == "family 'cnn'":
        del content["digits"]["cnn"]
    else:
        del content["digits"], content["planted"]  # which is made of it
    yaml.dump(content, project / "params.yaml")
    message = f"error: params.yaml: expected a group for the {missing}, got none\n"
    assert leave(command.run_cell, "digits", "cnn") == (2, message, [])


def test_outside_of_a_project(leave, project):
    (project / "dvc.yaml").unlink()
    code, err, given = leave(command.run_dataset, "digits")
    assert (code, given) == (2, [])
    assert err == (
        f"error: expected to run inside the project, got {Path.cwd()}: no dvc.yaml here or above\n"
    )


@pytest.mark.parametrize(
    ("error", "code", "message"),
    [
        (GlassnetsError("expected a finite loss, got nan"), 1, "expected a finite loss, got nan"),
        (ParameterError("expected this, got that"), 2, "expected this, got that"),
        (
            OSError(errno.ENOSPC, "No space left on device", "/data/raw"),
            1,
            "No space left on device: /data/raw",
        ),
        (OSError("the pipe burst"), 1, "the pipe burst: no file named"),
        (MemoryError(), 1, "expected enough memory, got none left: try a smaller batch_size"),
        (KeyboardInterrupt(), 130, "interrupted; nothing was half-written"),
    ],
)
def test_a_failure_while_working_is_one_line_and_an_exit_code(leave, error, code, message):
    assert leave(command.run_dataset, "digits", error=error)[:2] == (code, f"error: {message}\n")


def test_a_mistake_of_ours_keeps_its_traceback(project, monkeypatch):
    def work(params, dataset):
        raise ZeroDivisionError

    monkeypatch.setattr(sys, "argv", ["stage", "digits"])
    with pytest.raises(ZeroDivisionError):
        command.run_dataset(work)


@pytest.mark.parametrize(
    ("content", "arguments", "message"),
    [
        (OURS.replace("\ndigits:", "\ndigit:"), ["digits"], "(did you mean 'digits'?)"),
        (OURS.replace("seeds: [0, 1, 2]", "seeds: [0, 1, 1]"), ["digits"], "got [0, 1, 1]"),
        (OURS + "\truntime: 1\n", ["digits"], "params.yaml: expected valid YAML, got: "),
        ("", ["digits"], "params.yaml: the file: expected a group of keys, got null"),
        (OURS, ["cifar"], DATASETS + "'cifar'"),
    ],
)
def test_as_a_process_of_its_own(project, content, arguments, message):
    (project / "params.yaml").write_text(content, encoding="utf-8")
    before = written(project)
    ran = subprocess.run(
        [sys.executable, "-m", "glassnets.stages.fetch", *arguments],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 2
    assert ran.stdout == ""
    assert ran.stderr.startswith("error: ")
    assert message in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert written(project) == before


def test_wrong_arguments_to_a_process_of_its_own(project):
    before = written(project)
    for arguments in ([], ["digits", "cnn"]):
        ran = subprocess.run(
            [sys.executable, "-m", "glassnets.stages.fetch", *arguments],
            cwd=project,
            capture_output=True,
            check=False,
        )
        assert ran.returncode == 2
    assert written(project) == before
