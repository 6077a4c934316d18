import sys
from pathlib import Path
from types import ModuleType

import pytest
from ruamel.yaml import YAML

import glassnets
from glassnets import datasets, families, params, registry
from glassnets.params import Network

NEW_FAMILY = """
from glassnets import params

class Network(params.Network):
    rank: int

PRESETS = {"seed": Network(rank=1)}
"""


@pytest.fixture
def room(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A room of its own, that every import of which fails."""
    folder = tmp_path / "cellar"
    folder.mkdir()
    for name in ("wine", "apples"):
        (folder / f"{name}.py").write_text("raise AssertionError('imported')\n")
    (folder / "__init__.py").touch()
    (folder / "notes.txt").touch()
    monkeypatch.setattr(glassnets, "__path__", [*glassnets.__path__, str(tmp_path)])
    yield folder
    for name in [name for name in sys.modules if name.startswith("glassnets.cellar")]:
        del sys.modules[name]
    vars(glassnets).pop("cellar", None)


def test_names_are_the_files_of_the_room():
    for package in (datasets, families):
        (folder,) = package.__path__
        files = {path.stem for path in Path(folder).glob("*.py")} - {"__init__"}
        names = registry.names(package.__name__.removeprefix("glassnets."))
        assert names == tuple(sorted(files))
    assert {"digits", "mnist"} <= set(registry.names("datasets"))
    assert {"feedforward", "lstm", "cnn", "attention"} <= set(registry.names("families"))


def test_names_come_sorted_and_import_nothing(room):
    assert registry.names("cellar") == ("apples", "wine")
    with pytest.raises(AssertionError, match="imported"):
        registry.member("cellar", "apples")


def test_a_room_or_member_that_is_not_there():
    assert registry.names("attic") == ()
    with pytest.raises(ModuleNotFoundError, match="transformer"):
        registry.member("families", "transformer")


@pytest.mark.parametrize("name", registry.names("families"))
def test_every_family_holds_what_its_room_promises(name):
    module = registry.member("families", name)
    assert isinstance(module, ModuleType)
    assert issubclass(module.Network, Network)
    assert callable(module.build)
    assert {type(preset) for preset in module.PRESETS.values()} == {module.Network}
    assert module.PRESETS["seed"].problem((28, 28)) is None


@pytest.mark.parametrize("name", registry.names("datasets"))
def test_every_dataset_holds_what_its_room_promises(name):
    module = registry.member("datasets", name)
    assert callable(module.plant if name == "planted" else module.load)


def test_a_package_has_its_collection():
    assert "integrated_gradients" in registry.package("explanations").METHODS


def test_a_new_family_is_one_new_file(tmp_path, monkeypatch):
    (tmp_path / "families").mkdir()
    (tmp_path / "families" / "linear.py").write_text(NEW_FAMILY)
    monkeypatch.setattr(glassnets, "__path__", [*glassnets.__path__, str(tmp_path)])
    folders = [*families.__path__, str(tmp_path / "families")]
    monkeypatch.setattr(families, "__path__", folders)
    try:
        assert "linear" in registry.names("families")
        yaml = YAML(typ="safe", pure=True)
        content = yaml.load(Path(__file__).parents[1] / "params.yaml")
        training = content["digits"]["cnn"]["training"]
        for network, rank in (({"rank": 7}, 7), ("seed", 1)):
            content["digits"]["linear"] = {"network": network, "training": training}
            yaml.dump(content, tmp_path / "params.yaml")
            loaded = params.load(tmp_path / "params.yaml")
            assert loaded.dataset("digits").family("linear").network.rank == rank
    finally:
        sys.modules.pop("glassnets.families.linear", None)
        vars(families).pop("linear", None)
