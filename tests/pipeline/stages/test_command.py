"""The command line that all stages share: arguments, exit codes, one line for a person."""

import errno
import subprocess
import sys
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from glassnets import registry
from glassnets.errors import GlassnetsError, ParameterError
from glassnets.pipeline.stages import command

OURS = (Path(__file__).parents[3] / "params.yaml").read_text(encoding="utf-8")


@pytest.fixture
def project(tmp_path, monkeypatch):
    """A project of nothing but the parameters; one works inside it."""
    (tmp_path / "dvc.yaml").touch()
    (tmp_path / "params.yaml").write_text(OURS, encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def leave(project, monkeypatch, capsys):
    """Runs a command line with these arguments: (exit code, standard error, the arguments of each
    call of the stage's function).

    The function raises ``error`` if there is one.
    """

    def leave(run, *arguments, error=None):
        calls = []

        def work(*passed):
            """Records the call."""
            calls.append(passed)
            if error is not None:
                raise error

        monkeypatch.setattr(sys, "argv", ["stage", *arguments])
        with pytest.raises(SystemExit) as left:
            run(work)
        return left.value.code, capsys.readouterr().err, calls

    return leave


def written(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*"))


def test_the_stage_gets_parameters_and_arguments(leave):
    code, err, [(params, dataset)] = leave(command.run_dataset, "digits")
    assert (code, err, dataset) == (0, "", "digits")
    assert params.dataset("digits").classes == 10
    code, err, [(params, dataset, family)] = leave(command.run_cell, "mnist", "lstm")
    assert (code, err, dataset, family) == (0, "", "mnist", "lstm")


def test_the_parameters_are_the_projects_from_any_folder_within(leave, project, monkeypatch):
    (project / "results").mkdir()
    monkeypatch.chdir(project / "results")
    assert leave(command.run_dataset, "digits")[0] == 0


DATASETS = "datasets: expected one of digits, planted, mnist, got "
FAMILIES = f"families: expected one of {', '.join(registry.names(registry.FAMILIES))}, got "


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
    code, err, calls = leave(run, *arguments)
    assert code == 2
    assert "Usage" in err
    assert calls == []


def test_help_states_what_the_stage_does(project, monkeypatch, capsys):
    def work(params, dataset):
        """Weighs the digits."""

    monkeypatch.setattr(sys, "argv", ["stage", "--help"])
    with pytest.raises(SystemExit) as left:
        command.run_dataset(work)
    assert left.value.code == 0
    text = capsys.readouterr().out
    assert "Weighs the digits." in text
    assert "DATASET" in text


@pytest.mark.parametrize("missing", ["dataset 'digits'", "family 'cnn'"])
def test_a_missing_group_is_refused_before_any_work(leave, project, missing):
    yaml = YAML(typ="safe", pure=True)
    content = yaml.load(OURS)
    if missing == "family 'cnn'":
        del content["digits"]["cnn"]
        del content["cells"]["digits-cnn"], content["studied_cells"]["digits-cnn"]
    else:
        del content["digits"], content["planted"]  # which is made of it
    yaml.dump(content, project / "params.yaml")
    message = f"error: params.yaml: expected a group for the {missing}, got none\n"
    assert leave(command.run_cell, "digits", "cnn") == (2, message, [])


def test_outside_of_a_project(leave, project):
    (project / "dvc.yaml").unlink()
    code, err, calls = leave(command.run_dataset, "digits")
    assert (code, calls) == (2, [])
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


def test_an_unexpected_error_keeps_its_traceback(project, monkeypatch):
    def work(params, dataset):
        raise ZeroDivisionError

    monkeypatch.setattr(sys, "argv", ["stage", "digits"])
    with pytest.raises(ZeroDivisionError):
        command.run_dataset(work)


ONE_SEED_TWICE = OURS.replace("\n  - 1\n  - 2\n", "\n  - 1\n  - 1\n", 1)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (OURS.replace("\ndigits:", "\ndigit:"), "(did you mean 'digits'?)"),
        (ONE_SEED_TWICE, "got [0, 1, 1]"),
        (OURS + "\truntime: 1\n", "params.yaml: expected valid YAML, got: "),
        ("", "params.yaml: the file: expected a group of keys, got null"),
    ],
)
def test_wrong_parameters_are_refused_before_any_work(leave, project, content, message):
    (project / "params.yaml").write_text(content, encoding="utf-8")
    code, err, calls = leave(command.run_dataset, "digits")
    assert (code, calls) == (2, [])
    assert err.startswith("error: ")
    assert message in err
    assert len(err.splitlines()) == 1


def fetch(project, *arguments):
    """The stage as DVC runs it, a process of its own."""
    command = [sys.executable, "-m", "glassnets.pipeline.stages.fetch", *arguments]
    return subprocess.run(command, cwd=project, capture_output=True, encoding="utf-8", check=False)


def test_as_a_process_of_its_own(project):
    (project / "params.yaml").write_text(ONE_SEED_TWICE, encoding="utf-8")
    before = written(project)
    ran = fetch(project, "digits")
    assert (ran.returncode, ran.stdout) == (2, "")
    assert ran.stderr.startswith("error: params.yaml: ")
    assert len(ran.stderr.splitlines()) == 1
    ran = fetch(project, "digits", "cnn")
    assert ran.returncode == 2
    assert "Usage" in ran.stderr
    assert written(project) == before
