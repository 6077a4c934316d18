"""Four data sets that no recipe was chosen on, each from `glassnets add` to the report.

    python benchmarks/own_data.py           # all four, half an hour, on an idle machine
    python benchmarks/own_data.py wine      # one of them

Each runs in a fresh clone of the last commit, where nothing is edited by hand. Its files are made
here, or come from scikit-learn. Writes own_data.csv and own_data.md beside this file, a row of the
table at a time.
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
import pandas as pd
import typer
from PIL import Image, ImageDraw
from ruamel.yaml import YAML
from sklearn.datasets import load_wine

HERE = Path(__file__).parent
SHAPES = ("circle", "cross", "square", "triangle")

# A published accuracy on the same data, where there is one.
PUBLISHED = {
    "wine": "1.000 (RDA), 0.994 (QDA), 0.989 (LDA), by leave-one-out: Aeberhard, Coomans & de Vel "
    '(1992), "Comparison of classifiers in high dimensional settings"'
}


def shapes(folder: Path) -> list[str]:
    """Drawn RGB pictures of 20×20, a folder for each of four shapes, bright on dark, with noise;
    colour, ground, size and place say nothing."""
    rng = np.random.default_rng(0)
    for name in SHAPES:
        (folder / "shapes" / name).mkdir(parents=True)
        for i in range(150):
            ground, colour = rng.integers(0, 80, 3), rng.integers(120, 256, 3)
            picture = Image.new("RGB", (20, 20), tuple(ground.tolist()))
            draw, half = ImageDraw.Draw(picture), int(rng.integers(4, 6))
            x, y = rng.integers(half, 20 - half, 2).tolist()
            fill = tuple(colour.tolist())
            left, up, right, down = x - half, y - half, x + half, y + half
            if name == "circle":
                draw.ellipse((left, up, right, down), fill=fill)
            elif name == "square":
                draw.rectangle((left, up, right, down), fill=fill)
            elif name == "triangle":
                draw.polygon([(x, up), (left, down), (right, down)], fill=fill)
            else:
                draw.line((left, up, right, down), fill=fill, width=2)
                draw.line((left, down, right, up), fill=fill, width=2)
            noise = rng.normal(0, 12, (20, 20, 3))
            pixels = np.clip(np.asarray(picture) + noise, 0, 255).astype(np.uint8)
            Image.fromarray(pixels).save(folder / "shapes" / name / f"{i}.png")
    return ["shapes"]


def wine(folder: Path) -> list[str]:
    """Scikit-learn's wine: 178 rows of 13 numbers, 3 cultivars."""
    table = load_wine(as_frame=True).frame
    table.to_csv(folder / "wine.csv", index=False)
    return ["wine.csv", "--label", "target"]


def mixed(folder: Path) -> list[str]:
    """A made table of numbers and categories, a tenth of them missing. The label depends on one
    category and two numbers, of which one matters in one level alone; six columns say nothing."""
    rng = np.random.default_rng(0)
    rows = 1500
    colour = rng.choice(["red", "green", "blue", "grey"], rows, p=[0.4, 0.3, 0.2, 0.1])
    size, weight = rng.normal(50, 10, rows), rng.lognormal(3, 0.5, rows)
    score = (
        np.select([colour == "red", colour == "green"], [2.0, -2.0], 0)
        + (size - 50) / 5
        + np.where(colour == "blue", np.log(weight) * 3 - 9, 0)
    )
    label = np.where(rng.random(rows) < 1 / (1 + np.exp(-2 * score)), "yes", "no")
    table = pd.DataFrame({"colour": colour, "size": size.round(2), "weight": weight.round(2)})
    for i in range(3):
        table[f"number {i}"] = rng.normal(0, 10.0 ** (i - 1), rows).round(3)
        table[f"category {i}"] = rng.choice(list("abcde")[: i + 2], rows)
    table = table.mask(rng.random(table.shape) < 0.1)
    table["answer"] = label
    table.to_csv(folder / "mixed.csv", index=False)
    return ["mixed.csv", "--label", "answer"]


def motifs(folder: Path) -> list[str]:
    """Made series of two channels and 40 to 60 steps of noise: a short motif at any time in the
    first channel decides the class; the second channel, and a drift, say nothing."""
    rng = np.random.default_rng(0)
    rows, longest, length = 900, 60, 8
    t = np.arange(length) / length
    motif = [np.sin(2 * np.pi * t), np.sin(4 * np.pi * t), np.sign(np.sin(2 * np.pi * t + 0.1))]
    labels = np.arange(rows) % 3
    lengths = rng.integers(40, longest + 1, rows)
    series = np.zeros((rows, longest, 2), np.float32)
    for row, label, steps in zip(series, labels, lengths, strict=True):
        row[:steps] = rng.normal(0, 0.3, (steps, 2))
        row[:steps] += np.linspace(0, rng.normal(), steps)[:, np.newaxis]
        start = int(rng.integers(steps - length + 1))
        row[start : start + length, 0] += 2 * motif[label]
    names = np.array(["one wave", "two waves", "a step"])[labels]
    np.savez(folder / "motifs.npz", series=series, lengths=lengths, labels=names)
    return ["motifs.npz"]


DATASETS: dict[str, Callable[[Path], list[str]]] = {
    made.__name__: made for made in (shapes, wine, mixed, motifs)
}


def run(name: str) -> pd.DataFrame:
    """From the files to the report in a fresh clone; a row for each family and baseline."""
    with tempfile.TemporaryDirectory() as temporary:
        clone, data = Path(temporary, "clone"), Path(temporary, "data")
        subprocess.run(["git", "clone", "--quiet", HERE.parent, clone], check=True)
        data.mkdir()
        (clone / "data" / "external").mkdir(parents=True, exist_ok=True)
        path, *options = DATASETS[name](data)
        shutil.move(data / path, clone / "data" / "external" / path)
        environment = {**os.environ, "PYTHONPATH": str(clone / "src")}

        def command(*words: str) -> None:
            subprocess.run(words, cwd=clone, env=environment, check=True, stdout=sys.stderr)

        started = time.monotonic()
        command("glassnets", "add", name, f"data/external/{path}", *options)
        command("dvc", "repro", f"compare@{name}")
        minutes = (time.monotonic() - started) / 60
        results = clone / "results" / name
        edited = subprocess.run(
            ["git", "diff", "--name-only"], cwd=clone, check=True, capture_output=True, text=True
        ).stdout.split()
        assert {*edited} <= {"params.yaml", "dvc.lock"} | {
            file for file in edited if file.startswith("manifests/")
        }, edited
        shape = YAML(typ="safe").load((clone / "params.yaml").read_text())[name]["shape"]
        families = pd.read_csv(results / "comparison.csv").rename(columns={"family": "network"})
        baselines = pd.read_csv(results / "baselines.csv").rename(columns={"baseline": "network"})
        first = pd.read_csv(results / "first.csv")
    columns = ["network", "accuracy", "ci_low", "ci_high"]
    families = families.rename(columns={"accuracy_ci_low": "ci_low", "accuracy_ci_high": "ci_high"})
    table = pd.concat([families[columns], baselines[columns]])
    print(first.to_string(), file=sys.stderr)
    return table.assign(dataset=name, rows=shape["images"], minutes=round(minutes, 1))


def write(table: pd.DataFrame) -> None:
    table.to_csv(HERE / "own_data.csv", index=False, float_format="%.6g", lineterminator="\n")
    lines = [
        "# Data that no recipe was chosen on",
        "",
        "Each from `glassnets add` to the report in a fresh clone, no file edited by hand; default",
        "recipes by kind, three seeds, test part 20 % of the rows; accuracies with 95 % intervals.",
        "Written by `benchmarks/own_data.py`.",
        "",
    ]
    for name, own in table.groupby("dataset", sort=False):
        minutes, rows = own[["minutes", "rows"]].iloc[0]
        text = " ".join((DATASETS[str(name)].__doc__ or "").split())
        lines += [f"## {name}", "", text, ""]
        lines += [f"{rows:.0f} rows, {minutes:.1f} minutes."]
        if name in PUBLISHED:
            lines += [f"Published: {PUBLISHED[str(name)]}."]
        lines += ["", "| network or baseline | accuracy |", "| --- | ---: |"]
        lines += [
            f"| {row.network} | {row.accuracy:.4f} ({row.ci_low:.4f} to {row.ci_high:.4f}) |"
            for row in own.itertuples()
        ]
        lines += [""]
    (HERE / "own_data.md").write_text("\n".join(lines), encoding="utf-8")


def main(names: Annotated[list[str] | None, typer.Argument()] = None) -> None:
    """Runs these data sets, or all, and keeps the rows of the others."""
    for name in names or [*DATASETS]:
        file = HERE / "own_data.csv"
        kept = pd.read_csv(file) if file.is_file() else pd.DataFrame({"dataset": []})
        own = run(name)
        table = pd.concat([kept[kept["dataset"] != name], own])
        write(table[["dataset", "network", "accuracy", "ci_low", "ci_high", "rows", "minutes"]])


if __name__ == "__main__":
    typer.run(main)
