"""What ``pip install .`` brings: all that judging a model needs, and nothing of the pipeline."""

import email
import os
import re
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest

from glassnets.pipeline.verify.environment import requirements
from glassnets.pipeline.verify.rebuild import copy_project

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
# Held to a version, or taken, for the sake of another package that is named.
HELD = {"contourpy", "ruamel-yaml-clib", "setuptools"}
# Imported by the extras alone, under these names.
OF_EXTRAS = ("dvc", "mlflow", "altair", "vl_convert", "fastapi", "uvicorn", "psutil", "onnxruntime")


def names(requirements):
    found = [re.match(r"[\w.-]+", line) for line in requirements if not line.startswith("#")]
    return {each[0].lower().replace(".", "-").replace("_", "-") for each in found if each}


def test_all_that_is_declared_is_pinned():
    locks = ((ROOT / f"requirements{of}.txt").read_text() for of in ("", "-sweep"))
    pinned = names(re.findall("^[\\w.-]+(?===)", "\n".join(locks), re.M))
    declared = names(PROJECT["dependencies"]).union(
        *(names(EXTRAS[e]) for e in EXTRAS if e != "onnx")
    )
    assert declared - pinned == set()


def test_all_that_the_environment_names_is_declared():
    wanted = names((ROOT / "requirements.in").read_text(encoding="utf-8").splitlines())
    declared = names(PROJECT["dependencies"]).union(*map(names, EXTRAS.values()))
    assert wanted - declared - HELD == set()


def test_the_pipeline_is_an_extra():
    assert names(PROJECT["dependencies"]) & {"dvc", "mlflow", "fastapi", "onnxruntime"} == set()


@pytest.mark.release
def test_a_model_is_judged_without_the_extras():
    code = (
        "import sys, importlib\n"
        f"sys.modules |= dict.fromkeys({OF_EXTRAS})\n"
        "for module in ('attribution.judging', 'apps.judge', 'apps.judged_data'):\n"
        "    importlib.import_module(f'glassnets.{module}')\n"
        "from glassnets.attribution import judge\n"
        "import numpy as np\n"
        "rng = np.random.default_rng(0)\n"
        "x = rng.normal(size=(40, 3))\n"
        "y = (x[:, 0] > 0).astype(int)\n"
        "print(judge(lambda x: 1 / (1 + np.exp(-x[:, 0])), x[:20], y[:20], x[20:], y[20:]))"
    )
    ran = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    assert "could be made" in ran.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory):
    """The wheel of what git has or would have, built as `pip install .` builds it."""
    project, folder = tmp_path_factory.mktemp("project"), tmp_path_factory.mktemp("wheel")
    copy_project(ROOT, project)
    build = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--quiet"]
    ran = subprocess.run(
        [*build, "--wheel-dir", folder, project], capture_output=True, text=True, cwd=folder
    )
    assert ran.returncode == 0, ran.stderr
    (found,) = folder.iterdir()
    return found


def test_the_wheel_has_all_modules_templates_and_data_files(wheel):
    there = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "glassnets"],
        cwd=ROOT / "src",
        capture_output=True,
        text=True,
        check=True,
    ).stdout.split("\0")
    expected = {name for name in there if name and (ROOT / "src" / name).is_file()}
    assert {"glassnets/report/templates/page.html", "glassnets/apps/board/board.html"} <= expected
    with zipfile.ZipFile(wheel) as archive:
        found = {name for name in archive.namelist() if ".dist-info/" not in name}
    assert found == expected


def test_the_wheel_says_its_version_licence_and_extras(wheel):
    with zipfile.ZipFile(wheel) as archive:
        (name,) = (each for each in archive.namelist() if each.endswith(".dist-info/METADATA"))
        about = email.message_from_bytes(archive.read(name))
        licences = [each for each in archive.namelist() if each.endswith("licenses/LICENSE")]
    assert about["Version"] == PROJECT["version"]
    assert about["License-Expression"] == "Apache-2.0"
    assert len(licences) == 1
    assert set(about.get_all("Provides-Extra")) == set(EXTRAS)
    needed = [each for each in about.get_all("Requires-Dist") if "extra ==" not in each]
    assert names(needed) == names(PROJECT["dependencies"])


@pytest.fixture(scope="module")
def elsewhere(wheel, tmp_path_factory):
    """``elsewhere(*arguments)``: Python in an environment that holds the wheel and, of the pinned
    versions, what it depends on. The one fixture that asks the package registry."""
    folder = tmp_path_factory.mktemp("elsewhere")
    pins = requirements((ROOT / "requirements.txt").read_text(encoding="utf-8"))
    (folder / "pins.txt").write_text("\n".join(map(str, pins)), encoding="utf-8")
    uv = Path(sys.executable).parent / "uv"
    python = folder / "environment" / "bin" / "python"
    subprocess.run(
        [uv, "venv", "--quiet", "--python", sys.executable, python.parents[1]], check=True
    )
    install = [uv, "pip", "install", "--quiet", "--python", python, "-c", folder / "pins.txt"]
    asked = subprocess.run([*install, "--dry-run", "--no-cache", "typer"], capture_output=True)
    if asked.returncode:
        pytest.skip("the package registry cannot be reached")
    ran = subprocess.run([*install, wheel], capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr

    def run(*arguments):
        environment = {name: os.environ[name] for name in ("HOME", "PATH") if name in os.environ}
        ran = subprocess.run(
            [python, *arguments], cwd=folder, env=environment, capture_output=True, text=True
        )
        assert ran.returncode == 0, ran.stderr
        return ran.stdout

    run.folder = folder
    return run


@pytest.mark.exhaustive
def test_the_installed_package_has_no_pipeline(elsewhere):
    code = f"import importlib.util as u; print([n for n in {OF_EXTRAS} if u.find_spec(n)])"
    assert elsewhere("-c", code) == "[]\n"
    assert "judge" in elsewhere("-m", "glassnets.apps.command", "--help")


@pytest.mark.exhaustive
@pytest.mark.parametrize("library", [pytest.param("sklearn", marks=pytest.mark.release), "keras"])
def test_the_installed_package_judges_a_model(elsewhere, library):
    page = (ROOT / "docs" / "own-model.md").read_text(encoding="utf-8")
    (example,) = re.findall(rf"```python {library}\n(.*?)```", page, re.DOTALL)
    assert "tests" in elsewhere("-c", example)
    if library == "keras":
        verdicts = elsewhere.folder / "verdicts"
        assert "occlusion" in (verdicts / "verdicts.md").read_text(encoding="utf-8")
