"""What tasks came to, kept on disk: whole trainings and stopped ones, and two that differ."""

import pytest

from glassnets.errors import GlassnetsError
from glassnets.sweeps.outcomes import Outcomes
from glassnets.sweeps.tasks import Outcome, Task
from glassnets.tracking.epochs import Limits

TASK = Task("c0ffee", ("a=1",), "train@digits-cnn")
WHOLE = Outcome({"models": "0123"}, {"val_loss": [3.0, 2.0, 1.5], "val_accuracy": [0.1, 0.2, 0.3]})
LIMITS = Limits("val_loss", 1, (None, 1.9, 1.8))


def test_what_was_put_is_there_for_the_next(tmp_path):
    assert Outcomes(tmp_path / "a").get(TASK) is None
    Outcomes(tmp_path / "a").put(TASK, None, WHOLE)
    assert Outcomes(tmp_path / "a").get(TASK) == WHOLE
    assert Outcomes(tmp_path / "a").get(TASK._replace(overrides=("a=2",))) is None


def test_a_whole_training_is_stopped_where_it_would_have_been(tmp_path):
    outcomes = Outcomes(tmp_path)
    outcomes.put(TASK, None, WHOLE)
    stopped = outcomes.get(TASK, LIMITS)
    assert stopped == Outcome({}, {"val_loss": [3.0, 2.0], "val_accuracy": [0.1, 0.2]})
    assert outcomes.get(TASK, LIMITS._replace(values=(None, 2.0, 1.8))) == WHOLE


def test_a_stopped_training_is_one_under_its_limits_alone(tmp_path):
    outcomes = Outcomes(tmp_path)
    stopped = Outcome({}, {"val_loss": [3.0, 2.0], "val_accuracy": [0.1, 0.2]})
    outcomes.put(TASK, LIMITS, stopped)
    assert outcomes.get(TASK, LIMITS) == stopped
    assert outcomes.get(TASK) is None
    assert outcomes.get(TASK, LIMITS._replace(values=(None, 1.0))) is None


def test_one_that_was_cut_short_is_none(tmp_path):
    outcomes = Outcomes(tmp_path)
    outcomes.put(TASK, None, WHOLE)
    (path,) = tmp_path.iterdir()
    content = path.read_bytes()
    for cut in (b"", content[:20]):
        path.write_bytes(cut)
        assert outcomes.get(TASK) is None
        outcomes.put(TASK, None, WHOLE)
        assert path.read_bytes() == content
    outcomes.drop(TASK)
    outcomes.drop(TASK)
    assert outcomes.get(TASK) is None


def test_two_results_of_one_task_are_an_error_and_the_first_stays(tmp_path):
    outcomes = Outcomes(tmp_path)
    outcomes.put(TASK, None, WHOLE)
    outcomes.put(TASK, None, WHOLE)  # sent twice
    with pytest.raises(GlassnetsError, match="got two: models; the workers do not compute alike"):
        outcomes.put(TASK, None, WHOLE._replace(outputs={"models": "4567"}))
    with pytest.raises(GlassnetsError, match="their histories"):
        outcomes.put(TASK, None, WHOLE._replace(history={"val_loss": [1.0]}))
    assert outcomes.get(TASK) == WHOLE
