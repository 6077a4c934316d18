import sys
from pathlib import Path
from types import ModuleType

import pytest
from ruamel.yaml import YAML

import glassnets
from glassnets import config, registry
from glassnets.config.schema import Network
from glassnets.data import sources
from glassnets.models import families

NEW_FAMILY = """
from glassnets.config import schema

class Network(schema.Network):
    rank: int

PRESETS = {"article": Network(rank=1)}
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A package ``cellar`` whose modules all fail as they are imported."""
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


def test_names_are_the_files_of_the_package():
    for package in (sources, families):
        (folder,) = package.__path__
        files = {path.stem for path in Path(folder).glob("*.py")} - {"__init__"}
        names = registry.names(package.__name__.removeprefix("glassnets."))
        assert names == tuple(sorted(files))
    assert {"digits", "mnist"} <= set(registry.names("data.sources"))
    assert {"feedforward", "lstm", "cnn", "attention"} <= set(registry.names("models.families"))


def test_names_come_sorted_and_import_nothing(package):
    assert registry.names("cellar") == ("apples", "wine")
    with pytest.raises(AssertionError, match="imported"):
        registry.member("cellar", "apples")


def test_a_package_or_member_that_is_not_there():
    assert registry.names("attic") == ()
    with pytest.raises(ModuleNotFoundError, match="transformer"):
        registry.member("models.families", "transformer")


@pytest.mark.parametrize("name", registry.names("models.families"))
def test_every_family_has_what_its_package_requires(name):
    module = registry.member("models.families", name)
    assert isinstance(module, ModuleType)
    assert issubclass(module.Network, Network)
    assert callable(module.build)
    assert {type(preset) for preset in module.PRESETS.values()} == {module.Network}
    assert all(preset.problem((28, 28)) is None for preset in module.PRESETS.values())


@pytest.mark.parametrize("name", registry.names("data.sources"))
def test_every_source_has_what_its_package_requires(name):
    module = registry.member("data.sources", name)
    assert callable(module.plant if name == "planted" else module.load)


def test_a_package_has_its_collection():
    assert "integrated_gradients" in registry.package("attribution.methods").METHODS
    assert "infidelity" in registry.package("attribution.metrics").METRICS


def test_a_new_family_is_one_new_file(tmp_path, monkeypatch):
    folder = tmp_path / "models" / "families"
    folder.mkdir(parents=True)
    (folder / "linear.py").write_text(NEW_FAMILY)
    monkeypatch.setattr(glassnets, "__path__", [*glassnets.__path__, str(tmp_path)])
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(folder)])
    try:
        assert "linear" in registry.names(registry.FAMILIES)
        yaml = YAML(typ="safe", pure=True)
        content = yaml.load(Path(__file__).parents[1] / "params.yaml")
        training = {"epochs": 3, "learning_rate": 0.1}
        for cells in ("cells", "studied_cells"):
            content[cells]["digits-linear"] = {"dataset": "digits", "family": "linear"}
        for network, rank in (({"rank": 7}, 7), ("article", 1)):
            content["digits"]["linear"] = {"network": network, "training": training}
            yaml.dump(content, tmp_path / "params.yaml")
            digits = config.load(tmp_path / "params.yaml").dataset("digits")
            assert digits.family("linear").network.rank == rank
            assert "linear" in digits.families
    finally:
        sys.modules.pop("glassnets.models.families.linear", None)
        vars(families).pop("linear", None)
