"""Schedulers that are refused, and processes that end with the one that began them."""

import json
import os
import subprocess
import sys
import tempfile
import time
from concurrent.futures import BrokenExecutor
from pathlib import Path

import psutil
import pytest

from glassnets.errors import GlassnetsError, ParameterError
from glassnets.sweeps import executors


@pytest.mark.parametrize(
    "address",
    ["tcp://127.0.0.1:8786", "tcp://localhost:8786", "tcp://[::1]:8786", "tls://10.0.0.3:8786"],
)
def test_this_machine_and_tls_are_safe(address):
    executors.check_safe(address)


@pytest.mark.parametrize(
    "address",
    [
        "tcp://10.0.0.3:8786",
        "tcp://0.0.0.0:8786",
        "tcp://example.org:8786",
        "tcp://127.0.0.1.example.org:8786",
        "10.0.0.3:8786",
        "ws://127.0.0.1:8786",
        "tcp://[::]:1",
        "tcp://",
        "",
    ],
)
def test_who_could_be_reached_by_all_is_refused(address):
    with pytest.raises(ParameterError, match=r"^--scheduler: expected tls://"):
        executors.check_safe(address)


def test_no_scheduler_is_said_in_a_line(monkeypatch):
    import distributed

    def refuse(*_, **__):
        raise OSError("Timed out\ntrying to connect")

    monkeypatch.setattr(distributed, "Client", refuse)
    with pytest.raises(
        GlassnetsError, match=r"^expected a Dask scheduler at tcp.*Timed out trying"
    ):
        executors.dask("tcp://127.0.0.1:1").__enter__()


def test_processes_have_their_folder_and_end(tmp_path):
    folder = tmp_path / "workers"
    (folder / "left by a kill").mkdir(parents=True)
    with executors.processes(1, folder) as executor:
        assert [*folder.iterdir()] == []
        assert executor.submit(tempfile.gettempdir).result() == str(folder)
        worker = executor.submit(os.getpid).result()
    assert not folder.exists()
    assert not psutil.pid_exists(worker)


def sleeping(path):
    """A worker's task, which starts a program and sleeps: `exec` of this. It writes both numbers to
    the path."""
    return (
        "import os, subprocess, tempfile, time\n"
        "child = subprocess.Popen(['sleep', '600'], cwd=tempfile.gettempdir())\n"
        f"with open({str(path)!r}, 'w') as file: file.write(f'{{os.getpid()}} {{child.pid}}')\n"
        "time.sleep(600)\n"
    )


@pytest.mark.parametrize("is_killed", [False, True])
def test_an_error_ends_what_processes_run(tmp_path, is_killed):
    folder, path = tmp_path / "workers", tmp_path / "pids"
    pids = []

    def work():
        with executors.processes(2, folder) as executor:
            future = executor.submit(exec, sleeping(path))
            pids[:] = map(int, _wait_for(lambda: path.is_file() and path.read_text().split()))
            if is_killed:  # its child is then no child of this process
                psutil.Process(pids[0]).kill()
                with pytest.raises(BrokenExecutor):
                    future.result()
            raise GlassnetsError("of another task")

    with pytest.raises(GlassnetsError):
        work()
    assert len(pids) == 2
    for pid in pids:
        assert not _runs(pid)
    assert not folder.exists()


def test_a_scheduler_that_listens_to_all_is_refused(tmp_path):
    address = tmp_path / "scheduler.json"
    words = ("--host", "0.0.0.0", "--port", "0", "--no-dashboard", "--scheduler-file", str(address))
    scheduler = subprocess.Popen(
        [Path(sys.executable).parent / "dask", "scheduler", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        url = json.loads(_wait_for(lambda: address.is_file() and address.read_text()))["address"]
        here = f"tcp://127.0.0.1:{url.rpartition(':')[2]}"
        with pytest.raises(ParameterError, match=r"^--scheduler: expected tls://"):
            executors.dask(here).__enter__()
    finally:
        scheduler.terminate()
        scheduler.wait()


def test_a_killed_driver_leaves_no_process(tmp_path):
    path = tmp_path / "pids"
    code = (
        "from glassnets.sweeps import executors\n"
        "from pathlib import Path\n"
        "if __name__ == '__main__':\n"
        f"    with executors.processes(1, Path({str(tmp_path / 'w')!r})) as executor:\n"
        f"        executor.submit(exec, {sleeping(path)!r}).result()\n"
    )
    script = tmp_path / "script.py"
    script.write_text(code)
    environment = {**os.environ, "PYTHONPATH": executors.__file__.split("/glassnets/")[0]}
    driver = subprocess.Popen([sys.executable, script], env=environment)
    pids = _wait_for(lambda: path.is_file() and path.read_text().split())
    driver.kill()
    driver.wait()
    for pid in map(int, pids):
        _wait_for(lambda pid=pid: not _runs(pid))


def _runs(pid):
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def _wait_for(condition):
    for _ in range(1200):
        if result := condition():
            return result
        time.sleep(0.1)
    raise AssertionError("waited for two minutes")
