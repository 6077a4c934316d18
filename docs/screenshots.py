"""Pictures of README and docs/: screenshots of the report, the drawing board and the registry.

python docs/screenshots.py  # after `make run`, `make run DATASET=mnist`; needs Debian's chromium
"""

import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import requests
from playwright.sync_api import Browser, FloatRect, Page, sync_playwright

from glassnets.pipeline import artefacts

DOCS = Path(__file__).parent
SEVEN = ((86, 66), (196, 60), (150, 150), (118, 236))


def open_page(browser: Browser, url: str, width: int, height: int) -> Page:
    page = browser.new_page(viewport={"width": width, "height": height})
    page.goto(url)
    return page


@contextmanager
def serving(url: str, *command: str) -> Iterator[str]:
    """Runs a server until the block ends; yields its address once it responds."""
    with subprocess.Popen([sys.executable, "-m", *command]) as process:
        try:
            while process.poll() is None:
                try:
                    requests.get(url, timeout=60)
                    break
                except requests.ConnectionError:
                    time.sleep(0.5)
            yield url
        finally:
            process.terminate()


def report(browser: Browser) -> None:
    url = (artefacts.results("digits") / "report.html").as_uri()
    page = open_page(browser, f"{url}#lang=en&method=integrated_gradients:draws", 1280, 900)
    page.wait_for_selector("html[data-charts=drawn]")
    contents = page.locator("#answer nav").bounding_box()
    assert contents is not None
    clip: FloatRect = {"x": 0, "y": 0, "width": 1280, "height": contents["y"]}
    page.screenshot(path=DOCS / "report.png", clip=clip, full_page=True)


def board(browser: Browser) -> None:
    url = "http://127.0.0.1:8765"
    with serving(url, "glassnets.apps.board", "--dataset", "digits", "--port", "8765"):
        page = open_page(browser, url, 1280, 820)
        box = page.locator("#canvas").bounding_box()
        assert box is not None
        for i, (x, y) in enumerate(SEVEN):
            page.mouse.move(box["x"] + x, box["y"] + y, steps=8)
            if i == 0:
                page.mouse.down()
        page.mouse.up()
        page.get_by_text("Predicted in").wait_for()
        with page.expect_response("**/predictions?method=integrated_gradients*"):
            page.get_by_label("Method").select_option("integrated_gradients")
        page.wait_for_timeout(500)
        page.screenshot(path=DOCS / "board.png", full_page=True)


def registry(browser: Browser) -> None:
    url = "http://127.0.0.1:5765"
    store = f"sqlite:///{artefacts.root()}/mlflow.db"
    with serving(url, "mlflow", "ui", "--port", "5765", "--backend-store-uri", store):
        page = open_page(browser, f"{url}/#/models/glassnets-mnist-cnn/versions/1", 1280, 900)
        page.get_by_text("champion").first.wait_for()
        page.get_by_text("MLflow Assistant").locator("..").locator("button").last.click()
        page.wait_for_timeout(2000)
        page.screenshot(path=DOCS / "registry.png")


if __name__ == "__main__":
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        for picture in (report, board, registry):
            picture(opened)
