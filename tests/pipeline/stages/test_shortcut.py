"""shortcut@D-F on a made-up dataset in a project of its own."""

from pathlib import Path

import numpy as np
import pytest

from glassnets import config, runtime
from glassnets.config.schema import requested
from glassnets.errors import ParameterError
from glassnets.models import training
from glassnets.pipeline import artefacts, networks

pytestmark = pytest.mark.release  # for the minutes that all of these take together

ROOT = Path(__file__).parents[3]


def quarters(rng, count):
    """Images of 16×16 of which one of six places is lit, the label's, faintly."""
    labels = (np.arange(count) % 6).astype(np.uint8)
    images = rng.integers(0, 100, (count, 16, 16), np.uint8)
    for image, label in zip(images, labels, strict=True):
        row, column = divmod(int(label), 3)
        image[5 * row :, 5 * column :][:4, :4] += 60
    return {"images": images, "labels": labels, "index": np.arange(count)}


@pytest.fixture(scope="module")
def made(tmp_path_factory, tensorflow):
    """A project in which shortcut@planted-feedforward has run, and what it wrote, as bytes."""
    from glassnets.pipeline.stages.shortcut import shortcut

    project = tmp_path_factory.mktemp("project")
    (project / "dvc.yaml").touch()
    (project / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.setattr("glassnets.runtime.start_tensorflow", lambda runtime: None)  # it is
        rng = np.random.default_rng(0)
        parts = {"train": 600, "validation": 120, "test": 120}
        parts = {name: quarters(rng, count) for name, count in parts.items()}
        artefacts.processed("planted").mkdir(parents=True)
        for name, part in parts.items():
            artefacts.save_arrays(artefacts.part("planted", name), part)

        params = config.load(artefacts.params_file())
        planted = params.dataset("planted")
        settings = planted.attribution
        kept = ("gradient", "occlusion")
        left_out = {name: None for name in requested(settings.methods) if name not in kept}
        cell = planted.family("feedforward")
        shape = cell.network.model_copy(update={"units": (64,)})
        recipe = cell.training.model_copy(update={"epochs": 10})
        planted = planted.model_copy(
            update={
                "seeds": (0, 1),
                "feedforward": cell.model_copy(update={"network": shape, "training": recipe}),
                "shortcut": planted.shortcut.model_copy(update={"images": 20}),
                "attribution": settings.model_copy(
                    update={"methods": settings.methods.model_copy(update=left_out)}
                ),
            }
        )
        evaluation = params.evaluation.model_copy(update={"bootstrap_resamples": 100})
        params = params.model_copy(update={"planted": planted, "evaluation": evaluation})
        folder = artefacts.models("planted", "feedforward")
        folder.mkdir(parents=True)
        for seed in planted.seeds:
            runtime.set_seed(seed)
            model, _ = networks.build(planted, "feedforward")
            training.fit(
                model, parts["train"], parts["validation"], recipe, seed, print, lambda *_: None
            )
            artefacts.save_weights(model, folder / artefacts.weights_name(seed))
        written = []
        for _ in range(2):
            shortcut(params, "planted", "feedforward")
            files = sorted(path for path in project.rglob("*") if path.is_file())
            written.append({str(p.relative_to(project)): p.read_bytes() for p in files})
        without = planted.model_copy(update={"shortcut": None})
        with pytest.raises(ParameterError, match=r"expected a group planted\.shortcut, got none"):
            shortcut(params.model_copy(update={"planted": without}), "planted", "feedforward")
    assert written[0] == written[1]
    return project / "results" / "planted" / "cells" / "feedforward", written[0]


def test_it_writes_networks_a_table_and_what_they_learnt(made):
    _, written = made
    cell = "results/planted/cells/feedforward"
    new = {name for name in written if name.startswith(("models/shortcut", "results"))}
    assert new == {
        "models/shortcut/planted/feedforward/seed-0.weights.h5",
        "models/shortcut/planted/feedforward/seed-1.weights.h5",
        f"{cell}/shortcut.csv",
        f"{cell}/shortcut.json",
    }


def test_the_tagged_networks_take_the_shortcut_and_the_others_do_not(made):
    folder, _ = made
    taken = artefacts.load_json(folder / "shortcut.json")["taken"]
    assert min(taken["tagged"].values()) > 0.8
    assert max(taken["clean"].values()) < 0.2


def test_the_controls_tell_nothing_and_a_method_that_finds_the_tag_does(made):
    folder, _ = made
    table = artefacts.load_table(folder / "shortcut.csv").set_index("variant")
    controls = table[table["control"]]
    assert len(controls)
    assert (controls[["auc", "precision_auc"]] == 0.5).all(axis=None)
    assert not controls["usable"].any()
    found = table.loc["occlusion:mean"]
    assert found["usable"]
    assert found["ci_low"] > 0.9
    assert found["mass_tagged"] > found["mass_clean"]
    assert (table["usable"] == (table["auc"] >= 0.95)).all()
