"""Searches: the same trials with any number of workers and after a kill; pruning as Optuna has it;
a database that has the study; what is written of it."""

import math
import statistics

import optuna
import pytest
from optuna.distributions import CategoricalDistribution, FloatDistribution

from glassnets.apps import search as app
from glassnets.errors import GlassnetsError
from glassnets.sweeps import search
from glassnets.sweeps.plan import Cell
from glassnets.sweeps.search import Search

from .conftest import trained

RATE = "digits.cnn.training.learning_rate"
SPACE = {
    RATE: FloatDistribution(0.0001, 1, log=True),
    "digits.cnn.network.dropout": CategoricalDistribution(["0.0", "0.2"]),
}
SEARCH = Search("c0ffee", Cell("digits", "cnn"), (0, 1), SPACE, (), "val_loss", 30, 4, 6, True, 0)


def content(study):
    return [search._content(trial) for trial in study.get_trials(deepcopy=False)]


def test_trials_do_not_depend_on_workers(make_driver):
    one = search.run(SEARCH, make_driver(folder="one"))
    four = search.run(SEARCH, make_driver(folder="four", workers=4))
    assert content(one) == content(four)
    assert len(one.trials) == 30
    assert one.best_params == four.best_params
    other = search.run(SEARCH._replace(random_state=1), make_driver(folder="other"))
    assert content(one) != content(other)


@pytest.mark.parametrize("after", [1, 9, 33])
def test_a_search_that_was_stopped_goes_on_to_the_same_end(make_driver, after):
    whole = search.run(SEARCH, make_driver(folder="whole"))
    seen = []

    def stopping(task, *others):
        seen.append(task)
        if len(seen) > after:
            raise KeyboardInterrupt
        return trained(task, *others)

    with pytest.raises(KeyboardInterrupt):
        search.run(SEARCH, make_driver(stopping, folder="stopped"))
    again = []

    def counted(task, *others):
        again.append(task)
        return trained(task, *others)

    resumed = search.run(SEARCH, make_driver(counted, folder="stopped", workers=2))
    assert content(resumed) == content(whole)
    assert not {*seen[:after]} & {*again}


def test_it_finds_what_is_best_and_looks_more_where_it_is(make_driver):
    study = search.run(SEARCH, make_driver())
    assert study.best_params[RATE] == pytest.approx(0.01, rel=0.5)
    away = [abs(math.log10(trial.params[RATE] / 0.01)) for trial in study.trials]
    assert statistics.median(away[-12:]) < 0.5  # of random draws it is 1


def test_trials_are_pruned_as_optuna_would(make_driver):
    study = search.run(SEARCH, make_driver())
    pruner = optuna.pruners.MedianPruner(n_startup_trials=SEARCH.startup, n_warmup_steps=2)
    states = [trial.state.name for trial in study.trials]
    assert {*states} == {"COMPLETE", "PRUNED"}
    for first in range(0, SEARCH.trials, SEARCH.batch):
        before = optuna.create_study(pruner=pruner)
        before.add_trials(study.trials[:first])
        for trial in study.trials[first : first + SEARCH.batch]:
            live = before.ask()
            stopped = None
            for epoch, value in trial.intermediate_values.items():
                live.report(value, epoch)
                if live.should_prune():
                    stopped = epoch
                    break
            assert stopped == trial.user_attrs.get("stopped_after")
            before.tell(live, state=optuna.trial.TrialState.FAIL)


def test_the_other_seeds_of_a_pruned_trial_are_not_trained(make_driver):
    seen = []

    def counted(task, *others):
        seen.append(task)
        return trained(task, *others)

    study = search.run(SEARCH, make_driver(counted))
    for trial in study.trials:
        first, second = SEARCH.tasks(trial.params)
        assert first in seen
        assert (second in seen) == (trial.state.name == "COMPLETE")


def test_accuracy_is_maximised_and_nothing_is_pruned_where_it_is_not_wanted(make_driver):
    asked = SEARCH._replace(objective="val_accuracy", prune=False)
    study = search.run(asked, make_driver())
    assert {trial.state.name for trial in study.trials} == {"COMPLETE"}
    assert study.best_value == max(trial.value for trial in study.trials)
    by_seed = study.best_trial.user_attrs["by_seed"]
    assert study.best_value == pytest.approx(sum(by_seed) / 2)


def test_a_trial_that_fails_is_one_of_the_trials(make_driver):
    def failing(task, *others):
        if "dropout=0.2" in " ".join(task.overrides):
            raise search_error
        return trained(task, *others)

    from glassnets.sweeps.tasks import StageError

    search_error = StageError("train@digits-cnn: expected a finite loss, got nan")
    study = search.run(SEARCH, make_driver(failing))
    table = search.table(SEARCH, study)
    failed = table[table["state"] == "fail"]
    assert len(failed)
    assert (failed["error"] == str(search_error)).all()
    assert study.best_params["digits.cnn.network.dropout"] == "0.0"
    assert "0 fail" not in app.page(SEARCH, table, [])


def test_a_database_has_the_study_and_no_other_of_the_name(make_driver, tmp_path):
    storage = f"sqlite:///{tmp_path}/study.db"
    driver = make_driver()
    search.keep(search.run(SEARCH._replace(trials=8), driver), "mine", storage)
    study = search.run(SEARCH, driver)
    for _ in range(2):
        search.keep(study, "mine", storage)
        kept = optuna.load_study(study_name="mine", storage=storage)
        assert content(kept) == content(study)
        assert kept.best_params == study.best_params
    other = search.run(SEARCH._replace(random_state=1), driver)
    with pytest.raises(GlassnetsError, match=r"expected the first 30 trials of mine .* got others"):
        search.keep(other, "mine", storage)
    with pytest.raises(GlassnetsError, match=r"^expected a database at"):
        search.keep(study, "mine", f"sqlite:///{tmp_path}/none/study.db")


def test_a_database_that_cannot_be_used_is_said_before_a_search(tmp_path):
    search.check_storage(f"sqlite:///{tmp_path}/study.db")
    with pytest.raises(GlassnetsError, match=r"^expected a database at sqlite:///"):
        search.check_storage(f"sqlite:///{tmp_path}/none/study.db")


def test_the_page_has_the_best_first_and_how_many_were_tried(make_driver):
    study = search.run(SEARCH, make_driver())
    table = search.table(SEARCH, study)
    page = app.page(SEARCH, table, ["history"])
    states = table["state"].value_counts()
    assert (
        f"30 settings tried ({states['complete']} complete, {states['pruned']} pruned, 0 fail)"
        in page
    )
    rows = [line for line in page.splitlines() if line.startswith("|")][2:]
    assert rows[0].split("|")[1].strip() == str(study.best_trial.number)
    assert f"-S '{RATE}={study.best_params[RATE]}'" in page
    assert "![history](history.png)" in page


def test_pictures_name_keys_by_what_tells_them_apart():
    study = optuna.create_study()
    for value in (0.1, 0.2):
        trial = study.ask(
            {
                "digits.cnn.training.learning_rate": FloatDistribution(0, 1),
                "digits.cnn.training.augmentation.scale": FloatDistribution(0, 1),
                "+digits.cnn.network.scale": FloatDistribution(0, 1),
            }
        )
        study.tell(trial, value)
    renamed = search._with_short_keys(study)
    assert {*renamed.best_params} == {"learning_rate", "augmentation.scale", "network.scale"}
    assert {*renamed.best_params.values()} == {*study.best_params.values()}


@pytest.mark.parametrize("trials", [1, 2, 5])
def test_few_trials_and_one_key_have_pictures_too(make_driver, trials):
    from glassnets.report import drawing

    asked = SEARCH._replace(space={RATE: SPACE[RATE]}, trials=trials, startup=2)
    drawn = search.pictures(asked, search.run(asked, make_driver()))
    assert {"curves", "history", "slice"} <= {*drawn}
    for figure in drawn.values():
        assert drawing.png(figure).startswith(b"\x89PNG")


def test_pictures_are_the_same_for_the_same_trials(make_driver):
    from glassnets.report import drawing

    study = search.run(SEARCH, make_driver())
    first, second = (search.pictures(SEARCH, study) for _ in range(2))
    assert {*first} == {"curves", "history", "slice", "importances"}
    assert {n: drawing.png(f) for n, f in first.items()} == {
        n: drawing.png(f) for n, f in second.items()
    }
