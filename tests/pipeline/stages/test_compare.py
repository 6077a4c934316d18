"""compare@D on made-up results in projects of their own."""

import re
from pathlib import Path

import pandas as pd
import pytest
from ruamel.yaml import YAML

from glassnets import config
from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts
from glassnets.pipeline.stages.compare import compare

ROOT = Path(__file__).parents[3]
FAMILIES = ("attention", "cnn", "feedforward", "lstm", "spiking")


@pytest.fixture
def project(made_up_project, tmp_path, monkeypatch):
    """A project with results of four families on digits, to be changed before compare runs."""
    monkeypatch.chdir(made_up_project(tmp_path, evidence=True))
    return tmp_path


def run():
    compare(config.load(artefacts.params_file()), "digits")


def outputs(results):
    """The files that compare added, by their path in results/digits."""
    files = {str(path.relative_to(results)): path for path in results.rglob("*") if path.is_file()}
    inputs = ("cells/", "additive.csv", "baseline", "split.json", "sample.csv")
    return {name: path.read_bytes() for name, path in files.items() if not name.startswith(inputs)}


def declared():
    """What dvc.yaml declares that compare writes, by its path in results/digits."""
    stages = YAML(typ="safe").load((ROOT / "dvc.yaml").read_text(encoding="utf-8"))["stages"]
    entries = [entry for kind in ("outs", "metrics", "plots") for entry in stages["compare"][kind]]
    paths = [entry if isinstance(entry, str) else next(iter(entry)) for entry in entries]
    return {path.removeprefix("results/${item.dataset}/") for path in paths}


def test_it_writes_the_files_that_dvc_expects(compared):
    assert {name.split("/")[0] for name in outputs(compared.results)} == declared()


def test_its_tables_and_its_pages_have_the_same_conclusions(compared):
    table = artefacts.load_table(compared.results / "comparison.csv")
    assert table["family"].tolist()[0] == "cnn"
    assert table["accuracy"].is_monotonic_decreasing
    assert len(artefacts.load_table(compared.results / "mcnemar.csv")) == 10
    text = (compared.results / "comparison.md").read_text(encoding="utf-8")
    assert "cnn is more accurate than attention in every seed" in text
    assert "So cnn is the most accurate of these 5 families." in text
    assert "600 to test on, the same for every family (lying in another part too: 2)." in text
    assert "Random split (test_size 0.2, random_state 42, stratified)" in text
    assert "So cnn is the most accurate" in compared.printed


@pytest.mark.exhaustive
def test_classes_have_their_names_and_studies_their_links_where_there_are_any(compared, project):
    numbers = artefacts.load_table(compared.results / "classes.csv")
    links = '<a href="#studies">', '<a href="units.md">'
    html = (compared.results / "report.html").read_text(encoding="utf-8")
    assert all(link in html for link in links)
    path = artefacts.params_file()
    text = path.read_text(encoding="utf-8")
    names = [f"{'abcdefghij'[k]}|{k}" for k in range(10)]
    text = text.replace("\ndigits:\n", f"\ndigits:\n  class_names: {names}\n")
    before, cells = text.replace("\n- digits\n- mnist\n", "\n- mnist\n").split("studied_cells:")
    cells = re.sub(r"\n  digits-\w+: {.*}", "", cells)
    path.write_text(f"{before}studied_cells:{cells}", "utf-8")
    run()
    table = artefacts.load_table(project / "results" / "digits" / "classes.csv")
    assert [*table] == [*numbers, "name"]
    assert table["name"].tolist() == [names[k] for k in table["class"]]
    html = (project / "results" / "digits" / "report.html").read_text(encoding="utf-8")
    assert not any(link in html for link in links)


def test_it_says_whether_a_network_was_worth_it(compared):
    table = artefacts.load_table(compared.results / "comparison.csv").set_index("family")
    best = artefacts.load_table(compared.results / "baselines.csv")["accuracy"][1]
    assert table["accuracy_ci_low"]["cnn"] > best + 0.02
    _, *others = table.index
    worse = ", ".join(family for family in others if family not in ("lstm", "spiking"))
    of_intervals = (
        "The whole 95 % interval of cnn lies above that of logistic regression, the most accurate "
        f"baseline ({100 * best:.2f} %); that of {', '.join(others)} does not."
    )
    text = (compared.results / "comparison.md").read_text(encoding="utf-8")
    html = (compared.results / "report.html").read_text(encoding="utf-8")
    of_images = re.search("- (Image by image, cnn is more accurate and .*)", text)[1]
    assert of_images == (
        f"Image by image, cnn is more accurate and {worse} are less accurate than "
        "logistic regression in every seed (Holm-adjusted p at most 0.05)."
    )
    for conclusion in (of_intervals, of_images):
        assert f"- {conclusion}" in text
        said = re.sub(r"\b(cnn|lstm)\b", lambda family: family[0].upper(), conclusion)
        assert f'<li><span class="en" lang="en">{said}</span>' in html
        assert conclusion in compared.printed
    assert "learn from 900 of the 900 training images" in text
    assert '<th scope="row"><span class="en" lang="en">most frequent class</span>' in html


def test_it_says_which_verdicts_hold(compared):
    conclusion = (
        "cnn: of 3 variants 1 holds, 1 undecided, 1 fails; believe occlusion:mean first: by no "
        "removal, its own reference left out, is another that holds shown to score above it."
    )
    assert conclusion in compared.printed
    first = artefacts.load_table(compared.results / "first.csv").query("removal == 'black'")
    assert first[["variants", "alone"]].to_numpy().tolist() == [["occlusion:mean", "undecided"]] * 5
    text = (compared.results / "verdicts.md").read_text(encoding="utf-8")
    assert f"- {conclusion}" in text
    assert "6 test images drawn at random, the same for every family" in text
    assert "](attributions.png)" in text
    rows = [[cell.strip() for cell in line.split("|")] for line in text.splitlines()]
    assert ["occlusion:mean", "✓ holds", "80 %", "0.40", "(0.50)"] in [row[1:6] for row in rows]
    table = artefacts.load_table(compared.results / "agreement.csv")
    variants = ("occlusion:blur", "occlusion:mean", "rise:mean")
    assert table.groupby("method").size().to_dict() == dict.fromkeys(variants, 15)
    of_cnn = (table["family_a"] == "cnn") != (table["family_b"] == "cnn")
    assert table["images"].tolist() == [5 if other else 6 for other in of_cnn]


def test_its_tables_of_cells_are_joined_with_the_family(compared):
    """Tables of the cells that git keeps, those of all families in one."""
    joined = {
        "leaderboards": "leaderboard",
        "scores_by_removal": "by_removal",
        "shares": "shares",
        "effects": "effects",
    }
    for whole, part in joined.items():
        table = artefacts.load_table(compared.results / f"{whole}.csv")
        assert table["family"].unique().tolist() == list(FAMILIES)
        own = table[table["family"] == "lstm"].drop(columns="family").reset_index(drop=True)
        expected = artefacts.load_table(compared.results / "cells" / "lstm" / f"{part}.csv")
        pd.testing.assert_frame_equal(own, expected)


def test_maps_are_judged_by_what_other_families_maps_tell(compared):
    table = artefacts.load_table(compared.results / "between_families.csv")
    pairs = len(FAMILIES) * (len(FAMILIES) - 1)
    assert table.groupby("method").size().tolist() == [pairs] * 4  # edges among them
    of_cnn = (table["family"] == "cnn") != (table["other"] == "cnn")
    assert table["images"].tolist() == [5 if other else 6 for other in of_cnn]
    page = (compared.results / "verdicts.md").read_text(encoding="utf-8")
    assert "## About this family's network, or about the data?" in page


def test_every_family_has_its_card(compared):
    for family in FAMILIES:
        path = compared.results / "families" / family / "model-card.md"
        text = path.read_text(encoding="utf-8")
        assert text.startswith(f"# {family} on digits\n")
        metrics = artefacts.load_json(compared.results / "cells" / family / "metrics.json")
        assert f"| {metrics['accuracy']['mean']:.4f} |" in text
        assert "numpy 2.4.6, pandas 3.1.1" in text


def test_relative_links_of_the_pages_lead_to_files(compared):
    pages = list(compared.results.rglob("*.md"))
    assert len(pages) == 2 + len(FAMILIES)
    for path in pages:
        links = re.findall(r"\]\(([^)]+)\)", path.read_text(encoding="utf-8"))
        assert links
        for link in links:
            assert (path.parent / link).is_file(), (path, link)


def test_the_pairs_are_counted_from_the_predictions(compared):
    right = {}
    for family in ("cnn", "lstm"):
        table = artefacts.load_table(compared.results / "cells" / family / "predictions.csv")
        one = table.query("seed == 1")
        right[family] = (one["label"] == one["prediction"]).to_numpy()
    pairs = artefacts.load_table(compared.results / "mcnemar.csv")
    pair = pairs.query("family_a == 'cnn' and family_b == 'lstm'").iloc[0]
    assert pair["only_a_1"] == (right["cnn"] & ~right["lstm"]).sum()
    assert pair["only_b_1"] == (right["lstm"] & ~right["cnn"]).sum()


@pytest.mark.exhaustive
def test_the_same_results_give_the_same_bytes_in_another_process_and_folder(compared, project):
    run()
    assert outputs(project / "results" / "digits") == outputs(compared.results)


def test_a_family_without_a_group_is_left_out_and_one_alone_is_not_compared(project):
    text = (project / "params.yaml").read_text(encoding="utf-8")
    text = re.sub("\n  digits-(?!cnn).*", "", text)
    start = text.index("\n  feedforward:", text.index("\ndigits:"))
    stop = text.index("\n\n", start)
    digits = text[start:stop]
    cnn = digits[digits.index("\n  cnn:") : digits.index("\n  attention:")]
    (project / "params.yaml").write_text(text[:start] + cnn + text[stop:], encoding="utf-8")
    run()
    table = artefacts.load_table(project / "results/digits/comparison.csv")
    assert table["family"].tolist() == ["cnn"]
    assert artefacts.load_table(project / "results/digits/mcnemar.csv").empty


@pytest.mark.exhaustive
def test_where_scores_were_not_taken_apart_by_factors_nothing_is_said_of_these(project):
    for family in FAMILIES:
        for name in ("shares", "effects"):
            path = artefacts.results("digits", family) / f"{name}.csv"
            artefacts.save_table(path, artefacts.load_table(path)[:0])
    run()
    text = (project / "results/digits/verdicts.md").read_text(encoding="utf-8")
    assert "What the scores depend on" not in text
    assert "What scores depend on" not in (project / "results/digits/report.html").read_text(
        "utf-8"
    )
    assert artefacts.load_table(project / "results/digits/shares.csv").empty


# What it refuses


def test_attributions_of_another_sample_are_refused_and_nothing_is_written(project):
    sample = artefacts.load_table(project / "results/digits/sample.csv")
    artefacts.save_table(project / "results/digits/sample.csv", sample[::-1])
    with pytest.raises(GlassnetsError, match=r"attributions of attention .*make run DATASET="):
        run()
    assert outputs(project / "results" / "digits") == {}


def test_predictions_of_other_images_are_refused_and_nothing_is_written(project):
    path = artefacts.results("digits", "lstm") / "predictions.csv"
    table = artefacts.load_table(path)
    table.loc[0, "index"] = 599_999
    artefacts.save_table(path, table)
    with pytest.raises(GlassnetsError, match="lstm with seed 0"):
        run()
    assert outputs(project / "results" / "digits") == {}


@pytest.mark.parametrize(
    "name", ["metrics.json", "attributions.npz", "scores.npz", "verdicts.json", "effects.csv"]
)
def test_missing_results_are_named_with_the_way_forward(project, name):
    (artefacts.results("digits", "cnn") / name).unlink()
    with pytest.raises(GlassnetsError, match=rf"cells/cnn/{name}.*make run DATASET="):
        run()
    assert outputs(project / "results" / "digits") == {}
