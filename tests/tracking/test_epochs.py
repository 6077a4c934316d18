"""A training that another process follows: its file, its limits, and that MLflow hears nothing."""

import os

import pytest

from glassnets.errors import GlassnetsError
from glassnets.tracking import epochs, from_files, runs
from glassnets.tracking.epochs import Limits


@pytest.mark.parametrize(
    ("history", "epoch"),
    [
        ([3, 2, 1], None),
        ([3, 2.5, 1], 2),
        ([1, 2.5, 4, 4], None),  # the best so far counts
        ([3, 2, 1.9], 3),
        ([3], None),
        ([], None),
        ([9, 2, 1.5, 9], None),  # no limit at the first epoch, and none after the last
    ],
)
def test_a_training_stops_where_its_best_is_worse_than_the_limit(history, epoch):
    assert Limits("val_loss", 1, (None, 2.0, 1.5)).exceeded(history) == epoch
    mirrored = Limits("val_accuracy", -1, (None, -2.0, -1.5))
    assert mirrored.exceeded([-value for value in history]) == epoch


def test_the_stage_writes_epochs_where_it_is_followed(parameters):
    logs = {"val_loss": 0.1234567891234, "val_accuracy": 0.5}
    with epochs.file(None) as followed:
        assert not followed.stopped()
        assert followed.history() == {}
        with runs.training_run(parameters, "digits", "cnn", 0) as run:
            run.log_epoch(1, logs)
            run.log_epoch(2, logs)
        assert from_files.log(parameters, "digits", "cnn", "train") == 0
        assert followed.history() == {"val_loss": [0.123456789] * 2, "val_accuracy": [0.5] * 2}
    assert epochs.followed() is None
    assert epochs.FILE not in os.environ


def test_a_diverging_training_is_left_to_say_so_itself():
    with epochs.file(Limits("val_accuracy", -1, (None, 0.9))) as followed:
        followed.log_epoch(1, {"val_loss": 1.0, "val_accuracy": 0.1})
        followed.log_epoch(2, {"val_loss": float("nan"), "val_accuracy": 0.1})
        assert not followed.stopped()


def test_the_stage_ends_with_the_epoch_that_exceeds_a_limit():
    with epochs.file(Limits("val_loss", 1, (None, 0.5))) as followed:
        own = epochs.followed()
        own.log_epoch(1, {"val_loss": 0.9})
        assert not followed.stopped()
        with pytest.raises(GlassnetsError, match=r"^stopped after epoch 2"):
            own.log_epoch(2, {"val_loss": 0.8})
        assert followed.stopped()
        assert followed.history() == {"val_loss": [0.9, 0.8]}
