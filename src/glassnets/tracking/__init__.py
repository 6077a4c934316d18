"""MLflow's runs: one of each (dataset, family, seed) of the same inputs, and above the seeds of a
cell a parent run. All that they hold is logged from models/ and results/, by the same code at the
end of a stage and in ``glassnets track``; training is followed live besides."""

import os
import platform
from typing import Any

# MLflow reads these: no telemetry, no links, no bars, and no jitter between tries, which would be
# drawn from Python's global random numbers.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
os.environ.setdefault("MLFLOW_SUPPRESS_PRINTING_URL_TO_STDOUT", "true")
os.environ.setdefault("MLFLOW_ENABLE_ARTIFACTS_PROGRESS_BAR", "false")
os.environ.setdefault("MLFLOW_HTTP_REQUEST_BACKOFF_JITTER", "0")

# TensorFlow's build for this machine, see requirements.in.
TENSORFLOW = "tensorflow-cpu" if platform.machine() == "x86_64" else "tensorflow"

# Of a request to a served model: the method to explain the predictions with, and the class that
# these are contrasted with; −1 for none, since MLflow's parameters have a type and no null.
PARAMETERS: dict[str, Any] = {"explain": "", "contrast": -1}
