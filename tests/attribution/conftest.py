"""Verdicts are made many times over here."""

import gc

import pytest


@pytest.fixture(autouse=True)
def _without_collections(monkeypatch):
    """statsmodels collects garbage at each correction of p-values, which beside TensorFlow takes
    nearly all of the time of a verdict."""
    monkeypatch.setattr(gc, "collect", lambda *_: 0)
