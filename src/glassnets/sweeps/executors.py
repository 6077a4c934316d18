"""What tasks run on: processes of this machine, or the workers of a Dask scheduler."""

import ipaddress
import logging
import os
import shutil
import signal
import sys
import tempfile
import threading
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager, suppress
from multiprocessing import connection, get_context, parent_process
from pathlib import Path
from urllib.parse import urlsplit

import psutil

from glassnets.errors import GlassnetsError, ParameterError


@contextmanager
def processes(count: int, folder: Path) -> Iterator[Executor]:
    """Processes of this machine, whose copies lie in the folder. They end with the block or with
    this one, however these end, and what they run with them."""
    shutil.rmtree(folder, ignore_errors=True)  # what a kill has left
    folder.mkdir(parents=True)
    executor = ProcessPoolExecutor(
        count, mp_context=get_context("spawn"), initializer=_begin, initargs=(str(folder),)
    )
    try:
        yield executor
    finally:
        end_children()
        _end_in(folder)  # what a worker ran that was killed
        executor.shutdown(cancel_futures=True)
        shutil.rmtree(folder, ignore_errors=True)


def _begin(folder: str) -> None:
    signal.signal(
        signal.SIGINT, signal.SIG_IGN
    )  # a terminal's goes to all; the driver ends this one
    tempfile.tempdir = folder
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        connection.wait([parent.sentinel])
        end_children()
        os._exit(1)


def end_children() -> None:
    """Ends all processes that this one has started, and those that they have."""
    for child in psutil.Process().children(recursive=True):
        try:
            child.terminate()
        except psutil.NoSuchProcess:
            continue


def _end_in(folder: Path) -> None:
    """Ends all processes that are at work in a folder."""
    found = []
    for process in psutil.process_iter():
        with suppress(psutil.Error, OSError):
            if Path(process.cwd()).is_relative_to(folder.resolve()):
                process.terminate()
                found.append(process)
    _, left = psutil.wait_procs(found, timeout=10)
    for process in left:
        with suppress(psutil.NoSuchProcess):
            process.kill()


@contextmanager
def dask(scheduler: str) -> Iterator[Executor]:
    """The workers of a Dask scheduler. Raises ParameterError where its address, or one that it
    listens at, is not `safe`, and GlassnetsError where none answers or Dask is not installed."""
    check_safe(scheduler)
    try:
        from distributed import Client
    except ImportError:
        raise GlassnetsError(
            "expected Dask for --scheduler, got none: pip install --require-hashes "
            "-r requirements-sweep.txt"
        ) from None
    try:
        client = Client(scheduler, timeout=20, set_as_default=False)
    except (OSError, ValueError, TypeError) as error:  # TypeError: tls:// without certificates
        said = " ".join(str(error).split())[:200]
        raise GlassnetsError(f"expected a Dask scheduler at {scheduler}, got: {said}") from error
    logging.getLogger("distributed.client").setLevel(logging.CRITICAL)  # what fails is raised
    with client:
        about = client.scheduler_info()
        check_safe(about["address"])
        if not about["workers"]:
            print(f"{scheduler} has no workers yet: tasks wait for them", file=sys.stderr)
        # Each task is its own, also where another has the same arguments.
        executor: Executor = client.get_executor(pure=False)
        try:
            yield executor
        finally:
            executor.shutdown(wait=False)


def is_here(scheduler: str) -> bool:
    """Whether an address is one that only this machine reaches."""
    try:
        host = urlsplit(scheduler).hostname or ""
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:  # a name
        return False


def check_safe(scheduler: str) -> None:
    """Raises ParameterError unless an address is of this machine or its traffic encrypted: who
    reaches a scheduler runs what they like on every worker, and Dask asks for no password. With TLS
    it asks both ends for certificates."""
    scheme = scheduler.partition("://")[0]
    if scheme == "tls" or (scheme == "tcp" and is_here(scheduler)):
        return
    raise ParameterError(
        "--scheduler: expected tls://HOST:PORT, or tcp://127.0.0.1:PORT of this machine, got "
        f"{scheduler}: whoever reaches a scheduler without TLS runs programs on its workers"
    )
