"""additive@D on a made-up dataset in a project of its own."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from glassnets import config
from glassnets.config.schema import requested
from glassnets.pipeline import artefacts

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="module")
def made(tmp_path_factory, tensorflow):
    """A project in which additive@digits has run on images of which one of ten patches is lit, the
    label's; and what it wrote, as bytes."""
    from glassnets.pipeline.stages.additive import additive

    project = tmp_path_factory.mktemp("project")
    (project / "dvc.yaml").touch()
    (project / "params.yaml").write_bytes((ROOT / "params.yaml").read_bytes())
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(project)
        patch.setattr("glassnets.runtime.start_tensorflow", lambda runtime: None)  # it is
        rng = np.random.default_rng(0)
        artefacts.processed("digits").mkdir(parents=True)
        for name, count in (("train", 200), ("validation", 40), ("test", 40)):
            labels = (np.arange(count) % 10).astype(np.uint8)
            images = rng.integers(0, 100, (count, 8, 8), np.uint8)
            for image, label in zip(images, labels, strict=True):
                row, column = divmod(int(label), 4)
                image[2 * row :, 2 * column :][:2, :2] += 150
            part = {"images": images, "labels": labels, "index": np.arange(count) + 7}
            artefacts.save_arrays(artefacts.part("digits", name), part)
        artefacts.results("digits").mkdir(parents=True)
        sample = pd.DataFrame({"index": [40, 12, 30], "label": [3, 5, 3]})
        artefacts.save_table(artefacts.sample("digits"), sample)

        params = config.load(artefacts.params_file())
        digits = params.dataset("digits")
        settings = digits.attribution
        kept = ("gradient", "integrated_gradients", "kernel_shap", "occlusion")
        recipe = digits.additive.training.model_copy(update={"epochs": 10})
        left_out = {name: None for name in requested(settings.methods) if name not in kept}
        tiled = settings.methods.occlusion.model_copy(update={"patch_size": 2, "stride": 2})
        methods = settings.methods.model_copy(update=left_out | {"occlusion": tiled})
        digits = digits.model_copy(
            update={
                "seeds": (0, 1),
                "additive": digits.additive.model_copy(update={"training": recipe}),
                "attribution": settings.model_copy(update={"methods": methods}),
            }
        )
        evaluation = params.evaluation.model_copy(update={"bootstrap_resamples": 100})
        params = params.model_copy(update={"digits": digits, "evaluation": evaluation})
        written = []
        for _ in range(2):
            additive(params, "digits")
            files = sorted(path for path in project.rglob("*") if path.is_file())
            written.append({str(p.relative_to(project)): p.read_bytes() for p in files})
    assert written[0] == written[1]
    return project, written[0]


def test_it_writes_networks_errors_and_accuracy(made):
    project, written = made
    new = {name for name in written if name.startswith(("models", "results"))}
    assert new == {
        "models/additive/digits/seed-0.weights.h5",
        "models/additive/digits/seed-1.weights.h5",
        "results/digits/additive.csv",
        "results/digits/additive.json",
        "results/digits/sample.csv",
    }
    accuracy = artefacts.load_json(project / "results" / "digits" / "additive.json")
    assert set(accuracy) == {"seed_0", "seed_1"}
    assert min(accuracy.values()) > 0.9


@pytest.fixture(scope="module")
def table(made):
    project, _ = made
    return artefacts.load_table(project / "results" / "digits" / "additive.csv").set_index(
        "variant"
    )


def test_exact_methods_have_no_error_under_their_own_reference(table):
    for method in ("kernel_shap", "occlusion"):
        own = table[table["method"] == method]
        assert {"black", "mean", "blur", "draws"} == set(own["reference"])
        assert (own[["error", "dissimilarity"]] < 1e-4).all(axis=None)
        for variant, row in own.iterrows():
            assert row["error"] == row[f"error_{row['reference']}"], variant
    assert (table.loc["kernel_shap:black", ["error_mean", "error_blur"]] > 0.1).all()


def test_integrated_gradients_are_near_the_truth(table):
    assert table.loc["integrated_gradients:mean", "error"] < 0.05
    assert table.loc["integrated_gradients:mean", "error_black"] > 0.1


def test_a_method_without_a_reference_is_compared_with_the_truth_of_each(table):
    own = table.loc["gradient"]
    assert pd.isna(own[["reference", "error", "dissimilarity", "error_black"]]).all()
    assert (
        own[[f"dissimilarity_{r}" for r in ("black", "mean", "blur", "draws")]].between(0, 2).all()
    )


def test_controls_have_no_unit_to_err_in(table):
    controls = table[table["control"]]
    assert len(controls)
    assert controls.filter(regex="^error").isna().all(axis=None)
    assert controls["dissimilarity_mean"].notna().all()
