"""The command glassnets: what it lists, and that it loads what is asked for alone."""

import subprocess
import sys
from importlib import import_module

import pytest
from typer.testing import CliRunner

from glassnets.apps.command import COMMANDS, build, main


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_its_own_help(name):
    result = CliRunner().invoke(build(name), [name, "--help"], prog_name="glassnets")
    assert result.exit_code == 0
    command = import_module(COMMANDS[name][0]).command
    assert " ".join(command.__doc__.split())[:50] in " ".join(result.output.split())


def test_all_commands_are_listed_without_loading_any():
    code = (
        "import sys; from glassnets.apps.command import main; sys.argv = ['glassnets', '--help']\n"
        "try: main()\n"
        "finally: print({'tensorflow', 'mlflow', 'dvc', 'pandas'} & sys.modules.keys())"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ran.returncode == 0
    for name, (_, text) in COMMANDS.items():
        assert f"{name} " in ran.stdout
        assert text[:40] in ran.stdout
    assert ran.stdout.endswith("set()\n")


def test_a_package_that_is_not_here_is_named(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, COMMANDS["board"][0], raising=False)
    monkeypatch.setattr(sys, "argv", ["glassnets", "board"])
    with pytest.raises(SystemExit, match="1"):
        main()
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("error: expected the package uvicorn, got none: all but `judge` are for")


def test_an_interrupt_while_packages_load_is_said_in_a_line(monkeypatch, capsys):
    def interrupted(module):
        raise KeyboardInterrupt

    monkeypatch.setattr("glassnets.apps.command.import_module", interrupted)
    monkeypatch.setattr(sys, "argv", ["glassnets", "board"])
    with pytest.raises(SystemExit, match="130"):
        main()
    assert capsys.readouterr().err == "error: interrupted; nothing was half-written\n"


@pytest.mark.parametrize("asked", ["explian", "__init__"])
def test_another_command_is_refused(asked):
    result = CliRunner().invoke(build(asked), [asked])
    assert result.exit_code == 2
    assert f"No such command '{asked}'" in result.output


def test_without_a_command_the_list_is_shown():
    result = CliRunner().invoke(build(None), [])
    assert all(name in result.output for name in COMMANDS)
