"""Maps of a function of a table's rows against SHAP's KernelExplainer, with its link "logit".

With a reference for a background, or draws, each coalition's value is the mean of the log-odds over
the background here; SHAP takes the log-odds of the mean probability. The two are the same for one
background row, and for a function of log-odds themselves (link "identity").
"""

import numpy as np
import pytest
from sklearn.datasets import load_wine
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from glassnets.attribution.function import ExplainedFunction
from glassnets.attribution.methods import explain
from glassnets.attribution.references import fills

WINE = load_wine()
ROWS = WINE.data[:, :8].astype(np.float32)
CHOSEN = ROWS[::30]
MODELS = {
    "logistic regression": make_pipeline(StandardScaler(), LogisticRegression()),
    "gradient boosting": GradientBoostingClassifier(n_estimators=20, random_state=0),
}


@pytest.fixture(params=MODELS)
def network(request):
    """A function of 8 columns, few enough that both libraries take all coalitions."""
    model = MODELS[request.param].fit(ROWS, WINE.target)
    return ExplainedFunction(
        function=lambda grid: model.predict_proba(grid[:, 0]),
        shape=(1, 8),
        count=3,
        clip=1e-12,
        kind="table",
        references=ROWS[:, np.newaxis],
    )


def _ours(network, variant, targets, draws=1):
    grid = CHOSEN[:, np.newaxis]
    options = {"patch_size": 1, "coalitions": 254, "draws": draws}
    return explain(f"kernel_shap:{variant}", network, grid, targets, **options)[:, 0]


def _theirs(function, background, targets, link):
    import shap

    explainer = shap.KernelExplainer(function, background, link=link)
    values = np.asarray(explainer.shap_values(CHOSEN, nsamples=254, l1_reg=0, silent=True))
    return values[np.arange(len(targets)), :, targets]


def _close(ours, theirs):
    scale = np.abs(theirs).max(axis=1, keepdims=True)
    np.testing.assert_allclose(ours / scale, theirs / scale, atol=1e-4)


def test_log_odds_with_one_row_for_a_background(network):
    targets = network.outputs(CHOSEN[:, np.newaxis]).argmax(axis=1)
    background = network.mean_image.astype(np.float64)
    theirs = _theirs(
        lambda rows: network.function(rows[:, np.newaxis]), background, targets, "logit"
    )
    _close(_ours(network, "mean", targets), theirs)


def test_log_odds_with_draws_for_a_background(network):
    targets = network.outputs(CHOSEN[:, np.newaxis]).argmax(axis=1)
    drawn = fills(network, CHOSEN[:, np.newaxis], "draws", 5, 0)[0, :, 0].astype(np.float64)

    def outputs(rows):
        return network.outputs(rows[:, np.newaxis].astype(np.float32)).astype(np.float64)

    _close(_ours(network, "draws", targets, 5), _theirs(outputs, drawn, targets, "identity"))
