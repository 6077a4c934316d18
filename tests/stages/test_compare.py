"""compare@D on made-up results in a project of its own."""

import json
import subprocess
import sys

import pytest

from glassnets import artefacts, params
from glassnets.errors import GlassnetsError
from glassnets.stages.compare import compare

OUTPUTS = {"comparison.csv", "comparison.md", "comparison.png", "mcnemar.csv"}
OUTPUTS |= {"agreement.csv", "explanations.md", "explanations.png", "report.html"}
INPUTS = {"split.json", "panel.csv"}


@pytest.fixture
def project(made_up_project, tmp_path, monkeypatch):
    """A project with results of four families on digits."""
    monkeypatch.chdir(made_up_project(tmp_path))
    return tmp_path


def run():
    compare(params.load(artefacts.params_file()), "digits")


def outputs(project):
    files = [path for path in (project / "results" / "digits").iterdir() if path.is_file()]
    return {path.name: path.read_bytes() for path in files if path.name not in INPUTS}


def test_it_writes_its_files_and_says_what_follows(project, capsys):
    run()
    printed = capsys.readouterr().out
    written = outputs(project)
    assert set(written) == OUTPUTS
    table = artefacts.load_table(project / "results/digits/comparison.csv")
    assert table["family"].tolist()[0] == "cnn"
    assert table["accuracy"].is_monotonic_decreasing
    pairs = artefacts.load_table(project / "results/digits/mcnemar.csv")
    assert len(pairs) == 6
    page = written["comparison.md"].decode()
    assert "cnn is more accurate than attention in every seed" in page
    assert "So cnn is the most accurate of these 4 families." in page
    assert "600 to test on, the same for every family (lying in another part too: 2)" in page
    assert "Random split (test_size 0.2, random_state 42, stratified)" in page
    assert "So cnn is the most accurate" in printed


def test_it_says_which_explanation_to_believe(project, capsys):
    run()
    believed = "cnn: believe occlusion, the first of the 1 of 2 methods that pass"
    assert believed in capsys.readouterr().out
    page = outputs(project)["explanations.md"].decode()
    assert f"- {believed}" in page
    assert "6 test images, the same for every family, 2 of them answered wrongly" in page
    assert "](explanations.png)" in page
    table = artefacts.load_table(project / "results/digits/agreement.csv")
    assert table.groupby("method").size().to_dict() == {"occlusion": 10, "rise": 10}
    assert table["images"].eq(6).all()


def test_every_family_has_its_card(project):
    run()
    for family in ("attention", "cnn", "feedforward", "lstm"):
        folder = project / "results" / "digits" / family
        card = (folder / "model-card.md").read_text(encoding="utf-8")
        assert card.startswith(f"# {family} on digits\n")
        mean = artefacts.load_json(folder / "metrics.json")["accuracy"]["mean"]
        assert f"| {mean:.4f} |" in card
        assert (folder / "failures.png").is_file()


def test_explanations_of_another_panel_are_refused_and_nothing_is_written(project):
    panel = artefacts.load_table(project / "results/digits/panel.csv")
    artefacts.save_table(project / "results/digits/panel.csv", panel[::-1])
    with pytest.raises(GlassnetsError, match=r"explanations of attention .*dvc repro"):
        run()
    assert outputs(project) == {}


def test_the_pairs_are_counted_from_the_predictions(project):
    run()
    results = project / "results" / "digits"
    right = {}
    for family in ("cnn", "lstm"):
        table = artefacts.load_table(results / family / "predictions.csv").query("seed == 1")
        right[family] = (table["label"] == table["prediction"]).to_numpy()
    pairs = artefacts.load_table(results / "mcnemar.csv")
    pair = pairs.query("family_a == 'cnn' and family_b == 'lstm'").iloc[0]
    assert pair["only_a_1"] == (right["cnn"] & ~right["lstm"]).sum()
    assert pair["only_b_1"] == (right["lstm"] & ~right["cnn"]).sum()


def test_again_gives_the_same_bytes(project):
    run()
    first = outputs(project)
    run()
    assert outputs(project) == first


def test_a_family_without_a_group_is_left_out(project):
    text = (project / "params.yaml").read_text(encoding="utf-8")
    head, tail = text.split("\nmnist:")
    start, stop = head.index("  lstm:"), head.index("  cnn:")
    text = head[:start] + head[stop:] + "\nmnist:" + tail
    (project / "params.yaml").write_text(text, encoding="utf-8")
    run()
    table = artefacts.load_table(project / "results/digits/comparison.csv")
    assert sorted(table["family"]) == ["attention", "cnn", "feedforward"]


def test_the_official_split_is_named_so(project):
    loaded = params.load(artefacts.params_file())
    official = loaded.model_copy(
        update={"digits": loaded.dataset("digits").model_copy(update={"split": "official"})}
    )
    compare(official, "digits")
    assert "Official split: 900 images" in outputs(project)["comparison.md"].decode()


def test_other_images_are_refused_and_nothing_is_written(project):
    path = project / "results/digits/lstm/predictions.csv"
    table = artefacts.load_table(path)
    table.loc[0, "index"] = 599_999
    artefacts.save_table(path, table)
    with pytest.raises(GlassnetsError, match="lstm with seed 0"):
        run()
    assert outputs(project) == {}


def test_missing_results_are_named_with_the_way_forward(project):
    (project / "results/digits/cnn/metrics.json").unlink()
    with pytest.raises(GlassnetsError, match=r"cnn/metrics\.json.*dvc repro"):
        run()
    assert outputs(project) == {}


def test_the_command_works_without_tensorflow(project):
    """Run as DVC runs it, in a Python where importing TensorFlow or Keras fails."""
    code = (
        "import runpy, sys; sys.modules.update(dict.fromkeys(['tensorflow', 'keras'])); "
        "sys.argv = ['compare', 'digits']; "
        "runpy.run_module('glassnets.stages.compare', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "So cnn is the most accurate" in done.stdout
    assert set(outputs(project)) == OUTPUTS
    assert json.loads((project / "results/digits/split.json").read_text())  # untouched
