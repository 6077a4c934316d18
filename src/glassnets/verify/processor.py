"""On what processor: bytes depend on it."""

import platform
from pathlib import Path


def processor() -> str:
    """The processor's model, as Linux names it."""
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.processor()
