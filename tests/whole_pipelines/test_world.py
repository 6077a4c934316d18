"""What the project asks of the world: nothing, but MNIST's files where a person has none."""

import subprocess
import sys

import pytest

pytestmark = pytest.mark.exhaustive


def test_what_asks_outside_is_seen(clone):
    """And fails the `clone` of whatever test it runs in, telemetry included."""
    ask = "import urllib.request as u; u.urlopen('https://example.org/', timeout=5)"
    clone.run("python", "-c", ask, check=False)
    (seen,) = clone.outside()
    assert seen.startswith("127.0.0.1:9 ")
    assert "example.org" in seen
    clone.asked_outside.unlink()


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (
            "from glassnets import tracking; from mlflow.telemetry import utils; "
            "print(utils.is_telemetry_disabled())",
            "True",
        ),
        (
            "from dvc.analytics import is_enabled; print(is_enabled())",
            "False",
        ),
    ],
)
def test_telemetry_is_off(clone, code, said):
    environment = {k: v for k, v in clone.environment.items() if "TELEMETRY" not in k}
    ran = subprocess.run(
        [sys.executable, "-c", code],
        cwd=clone.folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == said
