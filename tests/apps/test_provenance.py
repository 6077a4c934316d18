"""What `glassnets provenance` writes: that it says what dvc.lock, manifests/ and requirements.txt
say, and that each form's own validator takes it."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator
from ruamel.yaml import YAML
from typer.testing import CliRunner

from glassnets.apps.command import build
from glassnets.apps.provenance import Project
from glassnets.apps.provenance.packages import packages
from glassnets.pipeline.verify.environment import requirements

ROOT = Path(__file__).parents[2]
VALIDATORS = ROOT / ".venv-provenance" / "bin" / "python"
FILES = ("CITATION.cff", "dvc.yaml", "params.yaml", "pyproject.toml", "requirements.txt")


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """What is checked out, as if it were fresh: dvc.lock has read the manifests that are there."""
    folder = tmp_path_factory.mktemp("project")
    for name in FILES:
        shutil.copy(ROOT / name, folder)
    shutil.copytree(ROOT / "manifests", folder / "manifests")
    for split in ROOT.glob("results/*/split.json"):
        (folder / split.relative_to(ROOT)).parent.mkdir(parents=True)
        shutil.copy(split, folder / split.relative_to(ROOT))
    lock = YAML(typ="safe").load(ROOT / "dvc.lock")
    for stage in lock["stages"].values():
        for entry in stage["deps"]:
            if entry["path"].startswith("manifests/"):
                content = (folder / entry["path"]).read_bytes()
                entry |= {"md5": hashlib.md5(content).hexdigest(), "size": len(content)}
    YAML(typ="safe").dump(lock, folder / "dvc.lock")
    return Project(folder, ("digits", "planted", "mnist"))


def run(project, *arguments):
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project.root)
        command = ["provenance", *(str(each) for each in arguments)]
        return CliRunner().invoke(build("provenance"), command)


@pytest.fixture(scope="module")
def written(project, tmp_path_factory):
    """The folder that the command wrote."""
    folder = tmp_path_factory.mktemp("written") / "provenance"
    result = run(project, "--out", folder)
    assert result.exit_code == 0, result.output
    assert set(result.output.split()) == {str(path) for path in folder.iterdir()}
    return folder


@pytest.fixture(scope="module")
def crate(written):
    """The crate's entities by their identifiers."""
    content = json.loads((written / "ro-crate-metadata.json").read_text(encoding="utf-8"))
    return {each["@id"]: each for each in content["@graph"]}


def place(entry):
    """The identifier of a file or folder of dvc.lock."""
    return f"hash://md5/{entry['md5']}{'/' if entry['md5'].endswith('.dir') else ''}"


def referred(value):
    """Identifiers that a value of an entity refers to."""
    values = value if isinstance(value, list) else [value]
    return [each["@id"] for each in values if isinstance(each, dict)]


def test_every_pinned_package_is_listed_with_its_hashes(project):
    text = project.text("requirements.txt")
    listed = json.loads(packages(project))
    found = {each["name"]: each for each in listed["components"]}
    pinned = {each.name: each for each in requirements(text)}
    assert set(found) == set(pinned)
    for name, requirement in pinned.items():
        assert f"=={found[name]['version']}" == str(requirement.specifier)
        own = [each["value"] for each in found[name].get("properties", ())]
        assert own == ([str(requirement.marker)] if requirement.marker else [])
    files = (each["externalReferences"][0]["hashes"] for each in listed["components"])
    hashes = [each["content"] for hashes in files for each in hashes]
    assert sorted(hashes) == sorted(re.findall(r"sha256:(\w+)", text))


def test_who_asks_for_a_package_is_said(project):
    listed = json.loads(packages(project))
    asks = {
        each["ref"].split("==")[0]: {on.split("==")[0] for on in each.get("dependsOn", ())}
        for each in listed["dependencies"]
    }
    wanted = re.findall(r"^([\w.-]+)", (ROOT / "requirements.in").read_text(), re.MULTILINE)
    assert asks["glassnets"] == {name.replace(".", "-") for name in wanted}
    assert {"numpy", "scipy", "joblib"} <= asks["scikit-learn"]
    assert asks["numpy"] == set()


def test_the_list_of_packages_is_valid(project):
    text = packages(project)
    validator = JsonStrictValidator(SchemaVersion.V1_6)
    assert validator.validate_str(text) is None
    assert validator.validate_str(text.replace('"library"', '"book"', 1)) is not None


def test_every_stage_is_a_run_with_what_it_read_and_wrote(project, crate):
    stages = YAML(typ="safe").load(project.root / "dvc.lock")["stages"]
    runs = {name.removeprefix("#run/"): each for name, each in crate.items() if "#run/" in name}
    assert set(runs) == {name for name in stages if "@" in name}
    for name, each in runs.items():
        stage = stages[name]
        files = [i for i in referred(each["object"]) if not i.startswith("#parameter/")]
        assert files == [*map(place, stage["deps"])]
        assert referred(each["result"]) == [*map(place, stage["outs"])]
        for entry in stage["deps"] + stage["outs"]:
            file = crate[place(entry)]
            assert entry["path"] in {file["name"], *file.get("alternateName", ())}
            assert file["contentSize"] == str(entry["size"])


def test_what_one_stage_wrote_is_what_the_next_one_read(crate):
    made = set(referred(crate["#run/train@digits-cnn"]["result"]))
    assert made & set(referred(crate["#run/evaluate@digits-cnn"]["object"]))


def test_parameters_are_those_of_the_manifest(project, crate):
    read = referred(crate["#run/train@digits-cnn"]["object"])
    found = {crate[i]["name"]: json.loads(crate[i]["value"]) for i in read if "#parameter" in i}
    manifest = project.root / "manifests" / "digits" / "cnn" / "train.json"
    assert found == json.loads(manifest.read_text(encoding="utf-8"))["parameters"]


def test_all_that_is_referred_to_is_there(written, crate):
    own = {i for each in crate.values() for value in each.values() for i in referred(value)}
    assert {i for i in own - crate.keys() if not i.startswith("https://")} == set()
    files = {i for i in referred(crate["./"]["hasPart"]) if "://" not in i}
    assert files == {path.name for path in written.iterdir()} - {"ro-crate-metadata.json"}


def test_datasets_are_described_with_the_hashes_of_the_lock(project, written):
    stages = YAML(typ="safe").load(project.root / "dvc.lock")["stages"]
    hashes = {e["path"]: e["md5"] for stage in stages.values() for e in stage["deps"]}
    found = {}
    for path in written.glob("dataset-*"):
        found[path.name.split(".")[0]] = json.loads(path.read_text(encoding="utf-8"))
    datasets = {"dataset-digits", "dataset-planted", "dataset-planted-shortcut", "dataset-mnist"}
    assert set(found) == datasets
    for each in found.values():
        assert each["license"].startswith("https://creativecommons.org/licenses/by")
        assert len(each["distribution"]) == 3
        for file in each["distribution"]:
            assert file["md5"] == hashes[file["contentUrl"]]
    counts = json.loads(project.text("results/digits/split.json"))["images"]
    assert f"{counts['train']} train" in found["dataset-digits"]["description"]
    assert "4×4 pixels of level 255" in found["dataset-planted-shortcut"]["description"]
    fields = found["dataset-planted"]["recordSet"][0]["field"]
    assert [f["name"] for f in fields] == ["images", "labels", "index", "evidence", "suppressor"]


def test_the_same_inputs_give_the_same_bytes(project, written, tmp_path):
    again = tmp_path / "other" / "provenance"
    again.parent.mkdir()
    assert run(project, "--out", again).exit_code == 0
    assert {p.name: p.read_bytes() for p in again.iterdir()} == {
        p.name: p.read_bytes() for p in written.iterdir()
    }
    for path in again.iterdir():
        assert str(project.root) not in path.read_text(encoding="utf-8")


def test_only_the_datasets_that_are_asked_for_are_told_of(project, tmp_path):
    assert run(project, "digits", "--out", tmp_path / "one").exit_code == 0
    names = {path.name for path in (tmp_path / "one").glob("dataset-*")}
    assert names == {"dataset-digits.croissant.json"}
    text = (tmp_path / "one" / "ro-crate-metadata.json").read_text(encoding="utf-8")
    assert "train@digits-cnn" in text
    assert "train@mnist-cnn" not in text


def test_a_folder_of_a_persons_own_is_left_as_it_is(project, tmp_path):
    (tmp_path / "thesis.txt").write_text("hours of work")
    for out in (tmp_path, project.root):
        listed = sorted(out.iterdir())
        result = run(project, "digits", "--out", out)
        assert result.exit_code == 2
        assert result.stderr.startswith("error: --out: expected a new folder")
        assert sorted(out.iterdir()) == listed


def test_a_manifest_that_no_run_has_read_is_refused(project, tmp_path):
    folder = shutil.copytree(project.root, tmp_path / "stale")
    manifest = folder / "manifests" / "digits" / "cnn" / "train.json"
    text = manifest.read_text(encoding="utf-8")
    manifest.write_text(text.replace('"parameters"', '"parameters" '), encoding="utf-8")
    result = run(Project(folder, ()), "--out", tmp_path / "none")
    assert result.exit_code == 1
    assert result.stderr == (
        "error: expected manifests/digits/cnn/train.json as dvc.lock says that train@digits-cnn "
        "read it, got another: `dvc repro` brings both together\n"
    )
    assert not (tmp_path / "none").exists()


@pytest.fixture
def validate():
    """``validate(folder)``: what the validators say."""
    if not VALIDATORS.exists():
        pytest.skip("no validators here (make provenance installs them)")

    def run(folder):
        script = ROOT / "src" / "glassnets" / "apps" / "provenance" / "validate.py"
        return subprocess.run([VALIDATORS, script, folder], capture_output=True, text=True)

    return run


@pytest.mark.exhaustive
def test_the_validators_of_all_forms_find_no_error(validate, written):
    ran = validate(written)
    assert ran.stdout == "packages: valid\nruns: valid\ndatasets: valid\n", ran.stderr
    assert ran.returncode == 0


@pytest.mark.exhaustive
@pytest.mark.parametrize(
    ("name", "old", "new", "found"),
    [
        ("packages.cdx.json", '"library"', '"book"', "packages: 1 errors"),
        ("ro-crate-metadata.json", '"mainEntity"', '"main"', "runs: [1-9]"),
        ("dataset-digits.croissant.json", '"cr:Field"', '"Field"', "datasets: 1 errors"),
    ],
)
def test_they_do_find_one(validate, project, tmp_path, name, old, new, found):
    folder = tmp_path / "provenance"
    assert run(project, "digits", "--out", folder).exit_code == 0
    text = (folder / name).read_text(encoding="utf-8")
    assert old in text
    (folder / name).write_text(text.replace(old, new, 1), encoding="utf-8")
    ran = validate(folder)
    assert re.search(found, ran.stdout), ran.stdout + ran.stderr
    assert ran.returncode == 1
