"""Python loads this of itself where it finds it: what a process of a test's clone asks outside of
this machine, or of the proxy that nobody listens at, is written down."""

import os
import sys
from pathlib import Path

DEAD_PROXY = 9  # its port


def _note(event, arguments):
    if event != "socket.connect" or not isinstance(arguments[1], tuple):
        return
    host, port = arguments[1][:2]
    if host not in ("127.0.0.1", "::1", "localhost") or port == DEAD_PROXY:
        with Path(os.environ["GLASSNETS_WATCH"]).open("a", encoding="utf-8") as file:
            file.write(f"{host}:{port} {' '.join(sys.orig_argv)}\n")


sys.addaudithook(_note)
