"""Tests run under the processor settings and determinism of the stages themselves.

Also what the tests of several packages need: networks to explain (a linear one, and the four
families as digits has them, untrained), a project that holds them, and a browser. What imports
NumPy is imported in the fixtures, after the processor is pinned.
"""

import functools
import random
import shutil
from pathlib import Path
from urllib.parse import urlsplit

import hypothesis
import pytest

from glassnets import runtime

# The same examples every time, however long they take.
hypothesis.settings.register_profile("glassnets", deadline=None, derandomize=True)
hypothesis.settings.load_profile("glassnets")

runtime.pin_processor()  # before anything imports NumPy


def pytest_collection_modifyitems(items):
    """Whole pipelines first: they take longest, and what begins last ends last."""
    items.sort(key=lambda item: "whole_pipelines" not in item.path.parts)


@pytest.hookimpl(tryfirst=True)  # before fixtures
def pytest_runtest_setup():
    """Gives weights that a test draws without a seed the same values in every run, in any order:
    Keras takes seeds from this module."""
    random.seed(0)


ROOT = Path(__file__).parents[1]
PATIENCE = 300_000  # milliseconds: a first prediction compiles, on a busy machine too


@pytest.fixture(scope="session")
def parameters():
    from glassnets import config

    return config.load(ROOT / "params.yaml")


@pytest.fixture(scope="session")
def tensorflow(parameters):
    runtime.start_tensorflow(parameters.runtime)


@pytest.fixture(scope="session")
def draw_images():
    """Images float32 (n, h, w) in 0…255, none of whose pixels is quite black."""
    import numpy as np

    def draw(n, shape=(8, 8), seed=0):
        rng = np.random.default_rng(seed)
        return rng.integers(1, 256, (n, *shape)).astype(np.float32)

    return draw


@pytest.fixture(scope="session")
def linear(tensorflow):
    """``linear(shape)``: a network of logits w·x + 1, and w (h, w, classes)."""
    import keras
    import numpy as np

    from glassnets.attribution.network import Explained

    def build(shape, classes=3, **options):
        pixels = shape[0] * shape[1]
        w = np.random.default_rng(0).normal(size=(pixels, classes)).astype(np.float32) / 255
        dense = keras.layers.Dense(classes)
        images = keras.Input(shape)
        model = keras.Model(images, dense(keras.layers.Flatten()(images)))
        dense.set_weights([w, np.ones(classes, np.float32)])
        return Explained(model, **options), w.reshape(*shape, classes)

    return build


@pytest.fixture(scope="session")
def family(tensorflow, parameters, draw_images):
    """``family(name)``: the network of digits' cell, the same for every test;
    ``family(name, batch_size)`` runs it in other batches."""
    import numpy as np

    from glassnets.attribution.network import Explained
    from glassnets.models import families

    digits = parameters.dataset("digits")

    @functools.cache
    def built(name):
        runtime.set_seed(0)
        network = digits.family(name).network
        model, activations = families.build(name, network, digits.image_shape, digits.classes)
        _draw_biases(model)
        return model, activations, model.get_weights()

    @functools.cache
    def explained(name, batch_size):
        model, activations, _ = built(name)
        references, labels = draw_images(20, seed=9), np.arange(20) % 10
        return Explained(
            model, activations, references=references, labels=labels, batch_size=batch_size
        )

    def get(name, batch_size=1024):
        model, _, weights = built(name)
        model.set_weights(weights)  # whatever another test has left
        return explained(name, batch_size)

    return get


def _draw_biases(model):
    """As a trained network has them. With biases of zero, normalised tokens of a nearly black
    image jump about, and the integral along a path from black is no test of anything."""
    import numpy as np

    rng = np.random.default_rng(0)
    for weight in model.trainable_variables:
        if weight.name in ("bias", "beta"):
            weight.assign(weight + rng.normal(scale=0.1, size=weight.shape))


BOARD = """\
method,control,verdict,share,unstable,reasons,rank,infidelity,infidelity_ci_low,infidelity_ci_high
integrated_gradients:black,False,fails,0,False,not above edges,1,0.3,0.2,0.4
integrated_gradients:mean,False,holds,0.8,False,,2,0.1,0.05,0.2
gradient,False,undecided,0.2,True,undecided whether above edges (some 300 images would tell),\
3,0.9,0.8,1.0
edges,True,,,False,,,0.5,0.4,0.6
"""


@pytest.fixture(scope="session")
def untrained_project(tmp_path_factory, family, draw_images):
    """A project whose digits networks are as drawn, of which one is judged, and a picture
    one.png of a dark stroke on light paper. To be copied, not changed."""
    import numpy as np
    from PIL import Image

    project = tmp_path_factory.mktemp("project")
    for name in ("dvc.yaml", "params.yaml"):
        shutil.copy(ROOT / name, project)
    for name in ("cnn", "lstm", "feedforward", "attention", "spiking"):
        folder = project / "models" / "digits" / name
        folder.mkdir(parents=True)
        family(name).model.save_weights(folder / "seed-0.weights.h5")
    processed = project / "data" / "processed" / "digits"
    processed.mkdir(parents=True)
    labels = np.arange(20, dtype=np.uint8) % 10
    np.savez(processed / "train.npz", images=draw_images(20).astype(np.uint8), labels=labels)
    results = project / "results" / "digits" / "cells" / "cnn"
    results.mkdir(parents=True)
    (results / "leaderboard.csv").write_text(BOARD, encoding="utf-8")
    image = np.full((90, 70), 240, np.uint8)
    image[20:70, 30:40] = 20
    Image.fromarray(image).save(project / "one.png")
    return project


@pytest.fixture(scope="session")
def chromium():
    """Debian's Chromium, driven by Playwright; where there is none, the test is skipped.

    Without a window of its own where that is installed: each page then takes a fifth of the time.
    """
    programs = ("chromium-headless-shell", "chromium", "chromium-browser")
    path = next(filter(None, map(shutil.which, programs)), None)
    if path is None:
        pytest.skip("no Chromium on this machine (Debian's package: chromium-headless-shell)")
    from playwright.sync_api import expect, sync_playwright

    expect.set_options(timeout=PATIENCE)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox"])
        yield browser
        browser.close()


@pytest.fixture
def browse(chromium):
    """``browse(url, width=1280, color_scheme="light")``: the page, in a window of its own. In the
    end it must have reported no error, and requested nothing of any other server."""
    requests, errors, own, contexts = [], [], [], []

    def build(url, width=1280, **options):
        context = chromium.new_context(viewport={"width": width, "height": 900}, **options)
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on(
            "console", lambda message: errors.append(message.text) if _is_error(message) else None
        )
        scheme, host, *_ = urlsplit(url)
        own.append(f"{scheme}://{host}")
        page.goto(url)
        return page

    yield build
    for context in contexts:
        context.close()
    assert [url for url in requests if not url.startswith((*own, "data:"))] == []
    assert errors == []


def _is_error(message):
    # A request that a server rightly refuses is an error to Chromium, too.
    return message.type == "error" and "status of 422" not in message.text


@pytest.fixture
def serious_violations():
    """``serious_violations(page)``: what axe-core finds in it that bars people from using it."""

    def find(page):
        from axe_playwright_python.sync_playwright import Axe

        # Its one rule that loads style sheets anew cannot do so where the page is a file.
        found = Axe().run(page, options={"preload": False}).response["violations"]
        return [
            (v["id"], [node["target"] for node in v["nodes"]][:3])
            for v in found
            if v["impact"] in ("serious", "critical")
        ]

    return find


OWN_CLASSES = ["no", "yes", "perhaps"]
OWN_COLUMNS = {"age": "number", "size": "number", "colour": ["blue", "red", "(missing)"]}


def _own_images(kind, n):
    """Inputs of a kind: of the table, the first row's age is missing and filled in."""
    import numpy as np

    rng = np.random.default_rng(0)
    if kind == "image":
        return rng.integers(0, 256, (n, 6, 6, 3), np.uint8)
    images = rng.normal(size=(n, 1, 3 if kind == "table" else 12, 3)).astype(np.float32)
    if kind == "table":
        images[:, :, :2, 1:] = 0
        images[0, 0, 0, 1] = 1
        images[:, 0, 2] = np.eye(3)[np.arange(n) % 3]
    else:
        images[..., 2] = 1
        images[0, :, 8:] = 0
    return images


@pytest.fixture(scope="session")
def own_project(tmp_path_factory, tensorflow):
    """A project of a person's own data, of each kind one, people, photos and waves, with untrained
    feedforward networks that nothing has judged. To be copied, not changed."""
    import numpy as np
    from ruamel.yaml import YAML

    from glassnets import config
    from glassnets.models.layers import standardize
    from glassnets.pipeline import networks

    project = tmp_path_factory.mktemp("own")
    shutil.copy(ROOT / "dvc.yaml", project)
    yaml = YAML()
    content = yaml.load(ROOT / "params.yaml")
    for name, kind in (("people", "table"), ("photos", "image"), ("waves", "series")):
        images, labels = _own_images(kind, 60), np.arange(60, dtype=np.uint8) % 3
        source = {"kind": kind, "path": f"data/external/{name}"}
        source |= {"table": {"columns": OWN_COLUMNS}, "series": {"masked": True}}.get(kind, {})
        shape = dict(zip(("height", "width", "channels"), images.shape[1:], strict=True))
        small = {"network": {"units": [4], "dropout": 0.0}, "training": {"epochs": 3}}
        others = {"network": {}, "training": {"epochs": 3}}
        content["datasets"].append(name)
        content["sources"][name] = source["path"]
        for family in ("attention", "cnn", "feedforward", "lstm"):
            content["cells"][f"{name}-{family}"] = {"dataset": name, "family": family}
        content[name] = {
            "source": source,
            "shape": {"images": 60, **shape},
            "classes": 3,
            "class_names": OWN_CLASSES,
            "sha256": {"images": "0" * 64, "labels": "0" * 64},
            "sample": {"images": 9},
            "seeds": [0],
            "feedforward": small,
            **dict.fromkeys(("attention", "cnn", "lstm"), others),
        }
        content[name]["attention"] = others | {"network": {"patch_size": 1, "stride": 1}}
        folder = project / "data" / "processed" / name
        folder.mkdir(parents=True)
        parts = {"train": range(40), "validation": range(40, 48), "test": range(48, 60)}
        for part, rows in parts.items():
            index = np.array(rows)
            arrays = {"images": images[index], "labels": labels[index], "index": index}
            np.savez(folder / f"{part}.npz", **arrays)
    yaml.dump(content, project / "params.yaml")
    params = config.load(project / "params.yaml")
    for name in ("people", "photos", "waves"):
        runtime.set_seed(0)
        model, _ = networks.build(params.dataset(name), "feedforward")
        standardize(model, np.load(project / "data" / "processed" / name / "train.npz")["images"])
        folder = project / "models" / name / "feedforward"
        folder.mkdir(parents=True)
        model.save_weights(folder / "seed-0.weights.h5")
    return project


@pytest.fixture(scope="session")
def learning_rules():
    """Tables of learning_rules@D, of two rules, made up."""
    import pandas as pd

    rules = ("backpropagation", "feedback alignment")
    networks = [
        ("backpropagation", "accuracy", 0.98, 0.97, 0.99, 0, 0, 0),
        ("backpropagation", "log_loss", 0.05, 0.04, 0.06, 0, 0, 0),
        ("feedback alignment", "accuracy", 0.96, 0.94, 0.97, -0.02, -0.03, -0.01),
        ("feedback alignment", "log_loss", 0.1, 0.09, 0.2, 0.05, 0.03, 0.07),
    ]
    names = ["mean", "ci_low", "ci_high", "less_mean", "less_ci_low", "less_ci_high"]
    angles = [
        (epoch, layer, 0 if rule == "backpropagation" or layer == 3 else 90 - 10 * epoch, rule, 0)
        for rule in rules
        for epoch in (0, 1, 2)
        for layer in (1, 2, 3)
    ]
    rates = [(rule, rate, abs(rate - 0.01) + 0.1) for rule in rules for rate in (0.003, 0.01, 0.03)]
    explained = [(rule, "integrated_gradients:mean", "holds") for rule in rules]
    explained += [(rules[1], "rise:mean", "fails")]
    return {
        "networks": pd.DataFrame(networks, columns=["rule", "score", *names]),
        "angles": pd.DataFrame(angles, columns=["epoch", "layer", "degrees", "rule", "seed"]),
        "rates": pd.DataFrame(rates, columns=["rule", "learning_rate", "val_loss"]),
        "explained": pd.DataFrame(explained, columns=["rule", "method", "verdict"]),
    }
