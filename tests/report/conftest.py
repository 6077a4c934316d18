"""Explanations and leaderboards to report on, as explain@D-F leaves them."""

import numpy as np
import pandas as pd
import pytest

FIGURES = (
    *("insertion_minus_deletion", "faithfulness_correlation", "infidelity", "max_sensitivity"),
    *("parameter_randomization_signed", "parameter_randomization_unsigned"),
    *("label_randomization_signed", "label_randomization_unsigned"),
)


@pytest.fixture(scope="session")
def leaderboard():
    """``leaderboard(occlusion=0.4, rise=(0.3, "not above edges"))``: methods with their insertion −
    deletion ± 0.05, and the marks of those that do not pass; then two controls."""

    def build(localized=False, **methods):
        rows = []
        for method, value in {**methods, "edges": 0.1, "random_map": -0.05}.items():
            value, marks = value if isinstance(value, tuple) else (value, "")
            control = method in ("edges", "random_map")
            passes = not control and marks in ("", "shape survives randomization")
            row = {"method": method, "control": control, "passes": passes, "marks": marks}
            for place, figure in enumerate(FIGURES):
                mean = value / (1 + place)
                row |= {figure: mean, f"{figure}_ci_low": mean - 0.05}
                row[f"{figure}_ci_high"] = mean + 0.05
            if localized:
                row |= {"relevance_mass": value, "relevance_mass_ci_low": value - 0.05}
                row["relevance_mass_ci_high"] = value + 0.05
            rows.append(row)
        table = pd.DataFrame(rows)
        merit = table["insertion_minus_deletion"].mask(table["control"])
        table.insert(4, "rank", merit.rank(ascending=False, method="min").astype("Int64"))
        return table.sort_values(["control", "rank"], ignore_index=True)

    return build


@pytest.fixture(scope="session")
def cell():
    """``cell(0, "rise")``: a family's explanations of 6 images of 5×4 by 3 networks, drawn."""

    def build(seed, *methods, evidence=False):
        rng = np.random.default_rng(0)
        made = {
            "index": np.array([50, 10, 40, 20, 0, 30]),
            "labels": np.array([0, 1, 2, 3, 4, 5], np.uint8),
            "images": rng.integers(0, 256, (6, 5, 4), np.uint8),
            "seeds": np.array([0, 1, 2]),
            "predictions": np.tile([0, 1, 2, 3, 4, 5], (3, 1)),
        }
        if evidence:
            made["evidence"] = rng.random((6, 5, 4)) < 0.3
        rng = np.random.default_rng(seed)
        maps = {m: rng.normal(size=(3, 6, 5, 4)).astype(np.float32) for m in methods}
        return made | maps

    return build
