"""Attributions and leaderboards to report on, as attribute@D-F and verdict@D-F write them."""

from dataclasses import fields

import numpy as np
import pandas as pd
import pytest

from glassnets.attribution.scores import SCORES
from glassnets.config.schema import Evaluation
from glassnets.report.results import Results


@pytest.fixture(scope="session")
def evaluation():
    return Evaluation(
        bootstrap_resamples=500, confidence_level=0.95, calibration_bins=15, random_state=0
    )


@pytest.fixture(scope="session")
def leaderboard():
    """``leaderboard({"occlusion:mean": 0.4}, rise=(0.3, "not above edges"))``: variants with their
    insertion − deletion ± 0.05, and why the verdict on them does not hold, if it does not: it is
    undecided where the first reason says so, else it fails. Then two controls."""

    def build(variants=None, localized=False, **methods):
        rows = []
        each = {**(variants or {}), **methods, "edges": 0.1, "random_map": -0.05}
        for method, value in each.items():
            value, reasons = value if isinstance(value, tuple) else (value, "")
            control = method in ("edges", "random_map")
            undecided = reasons.startswith("undecided")
            verdict = (
                "" if control else "undecided" if undecided else "fails" if reasons else "holds"
            )
            row = {
                "method": method,
                "control": control,
                "verdict": verdict,
                "share": {"holds": 0.8, "undecided": 0.2, "fails": 0.0}.get(verdict, np.nan),
                "unstable": False,
                "reasons": reasons,
            }
            scores = [name for name, score in SCORES.items() if not score.needs_evidence]
            means = {score: value / (1 + place) for place, score in enumerate(scores)}
            if localized:
                means["average_precision"] = value
            for score, mean in means.items():
                row |= {
                    score: mean,
                    f"{score}_ci_low": mean - 0.05,
                    f"{score}_ci_high": mean + 0.05,
                }
            rows.append(row)
        table = pd.DataFrame(rows)
        values = table["insertion_minus_deletion"].mask(table["control"])
        table.insert(6, "rank", values.rank(ascending=False, method="min").astype("Int64"))
        return table.sort_values(["control", "rank"], ignore_index=True)

    return build


@pytest.fixture(scope="session")
def verdicts_of():
    """``verdicts_of(leaderboard, believe_first=["rise"])``: the content of verdicts.json."""

    def build(leaderboard, **changes):
        values = leaderboard.loc[~leaderboard["control"], "verdict"]
        counts = {value: int((values == value).sum()) for value in ("holds", "undecided", "fails")}
        held = leaderboard.loc[leaderboard["verdict"] == "holds", "method"].tolist()
        return {
            "methods": len(values),
            **counts,
            "first_by_removal": {"black": held, "noisy_linear": held[:1]},
            "believe_first": held[:1],
            "detectable": {"above controls": 0.0506, "class sensitivity": 0.0849},
            "kendall_tau": {"removals": 0.8123, "seeds": 0.7, "metrics": 0.9},
        } | changes

    return build


@pytest.fixture(scope="session")
def attributions():
    """``attributions(0, "rise")``: random attributions of 6 images of 5×4 by 3 networks of a
    family, all predictions right."""

    def build(seed, *methods, evidence=False):
        rng = np.random.default_rng(0)
        arrays = {
            "index": np.array([50, 10, 40, 20, 0, 30]),
            "labels": np.array([0, 1, 2, 3, 4, 5], np.uint8),
            "images": rng.integers(0, 256, (6, 5, 4), np.uint8),
            "seeds": np.array([0, 1, 2]),
            "predictions": np.tile([0, 1, 2, 3, 4, 5], (3, 1)),
        }
        if evidence:
            arrays["evidence"] = rng.random((6, 5, 4)) < 0.3
        rng = np.random.default_rng(seed)
        return arrays | {m: rng.normal(size=(3, 6, 5, 4)).astype(np.float32) for m in methods}

    return build


@pytest.fixture(scope="session")
def results():
    """``results(leaderboard=…)``: a cell's results, of which a test needs some."""

    def build(**parts):
        none = {"choices": pd.DataFrame(columns=["method", "choice", "verdict"])}
        return Results(**dict.fromkeys(field.name for field in fields(Results)) | none | parts)

    return build


@pytest.fixture(scope="session")
def has_colour():
    """``has_colour(png, "#c00000")``: whether a pixel of a picture has this colour."""
    import io

    from matplotlib.colors import to_rgb
    from PIL import Image

    def check(png, colour):
        with Image.open(io.BytesIO(png)) as image:
            pixels = np.asarray(image.convert("RGB"))
        wanted = np.rint(255 * np.array(to_rgb(colour)))
        return bool((pixels == wanted).all(axis=-1).any())

    return check
