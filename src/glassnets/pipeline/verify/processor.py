"""On what processor this runs."""

import platform
from pathlib import Path

_CPUINFO = Path("/proc/cpuinfo")


def processor() -> str:
    """The processor's model, as Linux names it, else as Python does."""
    return _information("model name") or platform.processor()


def gives_the_same_bytes() -> bool:
    """Whether it is one on which the same inputs give the same bytes: x86-64 with AVX2."""
    return platform.machine() == "x86_64" and "avx2" in _information("flags").split()


def _information(name: str) -> str:
    """What Linux says of the processor under this name, "" elsewhere."""
    if not _CPUINFO.is_file():
        return ""
    for line in _CPUINFO.read_text(encoding="utf-8").splitlines():
        if line.startswith(name):
            return line.split(":", 1)[1].strip()
    return ""
