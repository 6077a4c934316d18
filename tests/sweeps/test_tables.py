"""Tables and the page of a sweep, from what networks came to; and the folder that they go into."""

import math

import pandas as pd
import pytest

from glassnets.apps import sweep
from glassnets.errors import GlassnetsError, ParameterError
from glassnets.sweeps import copies, tables
from glassnets.sweeps.plan import Cell
from glassnets.tracking import sweeps as tracked

from .conftest import EPOCHS

RATE = "digits.cnn.training.learning_rate"


@pytest.fixture
def table(make_driver, plan):
    driver = make_driver()
    driver.finish(dict.fromkeys(plan.tasks()))
    return driver, tables.networks(plan, driver.outcomes, {}, {})


def test_a_row_a_network_and_a_setting_the_best_first(table, plan):
    driver, networks = table
    assert networks["setting"].tolist() == [1, 1, 2, 2, 3, 3]
    assert networks[RATE].tolist() == ["0.001"] * 2 + ["0.01"] * 2 + ["0.1"] * 2
    assert (networks["epoch"] == EPOCHS).all()
    summary = tables.settings(networks)
    assert summary["setting"].tolist() == [2, 1, 3]
    assert summary["more_loss"].tolist() == pytest.approx([0, 0.009, 0.09])
    assert summary["more_loss_sd"].tolist() == pytest.approx([0, 0, 0], abs=1e-12)  # same seeds
    assert summary["val_loss"].iloc[0] == pytest.approx(1 / EPOCHS + 0.0005)
    assert summary["val_loss_sd"].iloc[0] == pytest.approx(0.001 / math.sqrt(2))
    page = tables.page(plan, summary)
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert [each.strip() for each in rows[2].split("|")[1:3]] == ["2", "0.01"]
    assert "best of 3 tried" in page
    assert len(tables.outputs(plan, driver.outcomes)) == 6


def test_a_network_that_failed_is_a_row_without_figures(make_driver, plan):
    driver = make_driver()
    *done, failed = plan.tasks()
    driver.finish(dict.fromkeys(done))
    networks = tables.networks(plan, driver.outcomes, {failed: "expected a finite loss"}, {})
    assert networks["error"].tolist() == [""] * 5 + ["expected a finite loss"]
    assert math.isnan(networks["val_loss"].iloc[-1])
    summary = tables.settings(networks)
    assert summary["setting"].tolist() == [2, 1, 3]
    assert summary["networks"].tolist() == [2, 2, 1]
    assert "failed" in tables.page(plan, summary)


def test_settings_of_different_keys_have_every_key(make_driver, plan, tmp_path, monkeypatch):
    dropout = "digits.cnn.network.dropout"
    plan = plan._replace(settings=((f"{RATE}=0.1",), (f"{dropout}=0.2",)))
    driver = make_driver()
    *done, failed = plan.tasks()
    driver.finish(dict.fromkeys(done))
    networks = tables.networks(plan, driver.outcomes, {failed: "expected a finite loss"}, {})
    summary = tables.settings(networks)
    for column in (RATE, dropout):
        assert column in summary
        assert column in tables.page(plan, summary)
    logged = []
    monkeypatch.setattr(tracked, "log", lambda *arguments: logged.append(arguments))
    for name in ("networks.csv", "outputs.csv"):
        (tmp_path / name).write_text("")
    sweep.track(plan, driver.outcomes, networks, tmp_path)
    [(_, _, _, _, children, _)] = logged
    own = [["cell", "seed", RATE]] * 2 + [["cell", "seed", dropout]] * 2
    assert [[*child.options] for child in children] == own
    assert [*children[0].figures] == ["epochs", "epoch", "val_loss", "val_accuracy"]
    assert children[-1].figures == {}
    assert len(children[0].history["val_loss"]) == EPOCHS


def test_figures_of_the_test_part_choose_nothing(make_driver, plan):
    driver = make_driver()
    driver.finish(dict.fromkeys(plan.tasks()))
    tested = {
        task: {"test_accuracy": place / 10, "test_log_loss": 1.0}
        for place, task in enumerate(plan.tasks())
    }
    summary = tables.settings(tables.networks(plan, driver.outcomes, {}, tested))
    assert summary["setting"].tolist() == [2, 1, 3]
    assert summary["test_accuracy"].tolist() == pytest.approx([0.25, 0.05, 0.45])
    assert "test accuracy %" in tables.page(plan, summary)


def test_a_datasets_name_is_no_figure(table):
    _, networks = table
    named = networks.rename(columns=lambda name: name.replace("digits.", "test_set."))
    assert any(name.startswith("test_set.") for name in named)
    pd.testing.assert_series_equal(
        tables.settings(named)["val_loss"], tables.settings(networks)["val_loss"]
    )


def test_what_is_not_in_the_remote_is_forgotten(make_driver, plan, tmp_path, monkeypatch):
    driver = make_driver()
    driver.finish(dict.fromkeys(plan.tasks()))
    lost, changed = plan.tasks()[3], []

    def restore(copy, stage):
        [task] = [each for each in plan.tasks() if each.overrides == changed[-1]]
        if task == lost:
            raise copies.MissingRunError("none")
        return driver.outcomes.get(task).outputs

    monkeypatch.setattr(copies, "fetch_runs", lambda copy: None)
    monkeypatch.setattr(copies, "change", lambda copy, overrides: changed.append(overrides))
    monkeypatch.setattr(copies, "restore", restore)
    monkeypatch.setattr(copies, "settle", lambda *_: None)
    monkeypatch.setattr(tables.shutil, "copy", lambda *_: None)
    with pytest.raises(GlassnetsError, match="got 1 that are not: train@digits-cnn under"):
        tables.restore(plan, driver.outcomes, tmp_path, [], tmp_path / "out")
    assert driver.outcomes.get(lost) is None
    assert len(changed) == 6
    assert all(driver.outcomes.get(task) for task in plan.tasks() if task != lost)


def test_seeds_are_those_given_or_those_of_the_datasets(parameters):
    cells = (Cell("digits", "cnn"),)
    assert sweep.seeds_of("3,1,3", parameters, cells) == (3, 1)
    assert sweep.seeds_of(None, parameters, cells) == parameters.dataset("digits").seeds
    with pytest.raises(ParameterError, match=r"^--seeds: expected numbers"):
        sweep.seeds_of("0;1", parameters, cells)
