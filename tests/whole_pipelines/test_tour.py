"""The tour, docs/tour.py: run as a notebook on the tiny pipeline's networks, and as a page."""

import base64
import importlib.util
import io
import re
from pathlib import Path

import pytest
from PIL import Image

pytest.importorskip("jupytext", reason="no jupytext here (make env installs it)")
ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def notebook():
    spec = importlib.util.spec_from_file_location("notebook", ROOT / "docs" / "notebook.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_without_networks_the_page_says_so_and_has_the_code(notebook, tmp_path):
    page = notebook.page(tmp_path)
    assert page["markdown"].startswith("# A tour\n")
    assert notebook.NOT_RUN in page["markdown"]
    assert "print(judged)" in page["markdown"]
    assert page["pictures"] == {}


@pytest.mark.release  # `make docs` runs them too, where there are networks
def test_every_cell_runs(notebook, clone, monkeypatch):
    monkeypatch.delenv("GLASSNETS_EXTERNAL", raising=False)
    page = notebook.page(clone.folder)
    text = page["markdown"]
    assert notebook.NOT_RUN not in text
    named = re.findall(r"!\[(.+)\]\((tour/\d+\.png)\)", text)
    assert [place for _, place in named] == [*page["pictures"]] == ["tour/1.png", "tour/2.png"]
    assert all(alternative[0].isupper() for alternative, _ in named)
    for picture in page["pictures"].values():
        with Image.open(io.BytesIO(base64.b64decode(picture))) as image:
            assert image.width > 100
    printed = re.findall(r"```text\n(.*?)```", text, re.DOTALL)
    assert len(printed) >= 8
    assert any("variants" in output for output in printed)  # of the model of one's own
    assert "Traceback" not in text
