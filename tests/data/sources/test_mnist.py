import gzip
import hashlib
import io
import json
import re
import signal
import struct
import sys
import tempfile
import threading
import urllib.request
import warnings
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sklearn.datasets import _openml

from glassnets import config
from glassnets.data import sources
from glassnets.data.sources import mnist
from glassnets.errors import GlassnetsError
from glassnets.pipeline import artefacts

PROJECT = Path(__file__).parents[3]
TINY = {
    "train-images-idx3-ubyte": (5, 3, 2),
    "train-labels-idx1-ubyte": (5,),
    "t10k-images-idx3-ubyte": (2, 3, 2),
    "t10k-labels-idx1-ubyte": (2,),
}


def idx(array):
    """The bytes of an IDX file, written out from the format's definition."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, 8, array.ndim]) + sizes + array.tobytes()


def tiny_arrays():
    draw = np.random.default_rng(0)
    return {name: draw.integers(0, 256, shape).astype(np.uint8) for name, shape in TINY.items()}


@pytest.fixture
def no_network(monkeypatch):
    def refuse():
        raise AssertionError("tried to download")

    monkeypatch.setattr(mnist, "_download", refuse)


@pytest.fixture
def folder(tmp_path, monkeypatch, no_network):
    """A folder that holds the four files, tiny: the train part plain, the test part gzipped."""
    monkeypatch.setattr(mnist, "FILES", TINY)
    for name, array in tiny_arrays().items():
        if name.startswith("train"):
            (tmp_path / name).write_bytes(idx(array))
        else:
            (tmp_path / f"{name}.gz").write_bytes(gzip.compress(idx(array)))
    return tmp_path


def refused(path, *words):
    with pytest.raises(GlassnetsError) as error:
        mnist.load(path)
    message = str(error.value)
    assert "\n" not in message
    for word in words:
        assert word in message
    return message


# The IDX files


def test_reads_the_four_files_training_part_first(folder):
    arrays = mnist.load(folder)
    tiny = tiny_arrays()
    expected = [tiny["train-images-idx3-ubyte"], tiny["t10k-images-idx3-ubyte"]]
    np.testing.assert_array_equal(arrays["images"], np.concatenate(expected), strict=True)
    expected = [tiny["train-labels-idx1-ubyte"], tiny["t10k-labels-idx1-ubyte"]]
    np.testing.assert_array_equal(arrays["labels"], np.concatenate(expected), strict=True)


def test_the_real_files_are_expected_in_their_real_sizes():
    assert [shape[0] for shape in mnist.FILES.values()] == [60_000, 60_000, 10_000, 10_000]
    assert {shape[1:] for shape in mnist.FILES.values()} == {(28, 28), ()}


@pytest.mark.parametrize("missing", TINY)
def test_some_of_the_files_are_not_enough(folder, missing):
    for path in folder.glob(f"{missing}*"):
        path.unlink()
    present = [name for name in TINY if name != missing]
    message = refused(folder, str(folder), f"({', '.join(present)})", f"put {missing} there too")
    assert "OpenML" in message


def test_a_folder_of_a_files_name_is_no_file(folder):
    (folder / "train-images-idx3-ubyte").unlink()
    (folder / "train-images-idx3-ubyte").mkdir()
    refused(folder, "put train-images-idx3-ubyte there too")


@pytest.mark.parametrize(
    ("change", "came"),
    [
        (lambda good: b"", "got the header (none); "),
        (lambda good: good[:9], "got the header 00000803 00000005 00; "),
        (lambda good: b"\x00\x00\x09" + good[3:], "got the header 00000903"),  # signed bytes
        (lambda good: b"\x00\x00\x0d" + good[3:], "got the header 00000d03"),  # floats
        (lambda good: b"\x01" + good[1:], "got the header 01000803"),
        (lambda good: good[:4] + struct.pack(">I", 2**32 - 1) + good[8:], "ffffffff"),
        (lambda good: idx(np.zeros((4, 3, 2), np.uint8)), "00000004 00000003 00000002"),
        (lambda good: idx(np.zeros(5, np.uint8)), "got the header 00000801"),
        (lambda good: good[:-1], "got 29 bytes; "),
        (lambda good: good[:16], "got 0 bytes; "),
        (lambda good: good + b"\x00", "got more bytes; "),
    ],
)
@pytest.mark.parametrize("gzipped", [False, True])
def test_a_file_that_is_not_what_it_must_be(folder, change, came, gzipped):
    path = folder / "train-images-idx3-ubyte"
    bad = change(path.read_bytes())
    if gzipped:
        path.unlink()
        path = folder / f"{path.name}.gz"
    path.write_bytes(gzip.compress(bad) if gzipped else bad)
    refused(folder, f"{path}: expected 5×3×2", "00000803 00000005 00000003 00000002", came, "; put")


@pytest.mark.parametrize(
    "damage",
    [
        lambda zipped: zipped[: len(zipped) // 2],
        lambda zipped: zipped[:-1],  # the checksum is cut
        lambda zipped: zipped[:-8] + bytes(4) + zipped[-4:],  # the checksum is wrong
        lambda zipped: zipped[:12] + b"\xff\xff" + zipped[14:],
        lambda zipped: b"no gzip at all",
        lambda zipped: zipped + b"rubbish",
        lambda zipped: b"",
    ],
)
def test_a_damaged_gzip_file(folder, damage):
    path = folder / "t10k-images-idx3-ubyte.gz"
    path.write_bytes(damage(path.read_bytes()))
    refused(folder, f"{path}: expected 2×3×2", "; put")


def test_a_gzip_bomb_is_not_unpacked(folder, monkeypatch):
    array = tiny_arrays()["t10k-images-idx3-ubyte"]
    bomb = gzip.compress(idx(array) + bytes(2**20))
    (folder / "t10k-images-idx3-ubyte.gz").write_bytes(bomb)
    requested = []
    read = gzip.GzipFile.read

    def recorded(self, size=-1):
        requested.append(size)
        return read(self, size)

    monkeypatch.setattr(gzip.GzipFile, "read", recorded)
    refused(folder, "got more bytes; ")
    assert requested
    assert all(0 <= size <= array.size + 16 for size in requested)


SHAPES = st.lists(st.integers(0, 6), min_size=1, max_size=3).map(tuple)
GOOD = SHAPES.flatmap(
    lambda shape: st.binary(min_size=int(np.prod(shape)), max_size=int(np.prod(shape))).map(
        lambda body: np.frombuffer(body, np.uint8).reshape(shape)
    )
)


@st.composite
def mutated(draw):
    """(shape, file's bytes, whether its name ends in .gz): rubbish, or a good file changed."""
    array = draw(GOOD)
    gzipped = draw(st.booleans())
    content = gzip.compress(idx(array)) if gzipped else idx(array)
    kind = draw(st.sampled_from(["whole", "rubbish", "cut", "longer", "changed"]))
    if kind == "rubbish":
        content = draw(st.binary(max_size=64))
    elif kind == "cut":
        content = content[: draw(st.integers(0, len(content)))]
    elif kind == "longer":
        content += draw(st.binary(min_size=1, max_size=8))
    elif kind == "changed":
        place = draw(st.integers(0, len(content) - 1))
        content = content[:place] + draw(st.binary(min_size=1, max_size=4)) + content[place + 1 :]
    return array.shape, content, gzipped


@given(mutated())
@settings(
    max_examples=300, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_bytes_give_the_right_array_or_an_error_for_people(tmp_path, case):
    shape, content, gzipped = case
    path = tmp_path / ("file.gz" if gzipped else "file")
    path.write_bytes(content)
    try:
        array = mnist.read_idx(path, shape)
    except GlassnetsError:
        return
    assert (array.shape, array.dtype) == (shape, np.uint8)
    assert idx(array) == (gzip.decompress(content) if gzipped else content)


@given(GOOD, st.booleans())
@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_good_files_are_read_back(tmp_path, array, gzipped):
    path = tmp_path / ("file.gz" if gzipped else "file")
    path.write_bytes(gzip.compress(idx(array)) if gzipped else idx(array))
    np.testing.assert_array_equal(mnist.read_idx(path, array.shape), array, strict=True)


def test_real_mnist_has_the_pinned_hash(monkeypatch, no_network):
    monkeypatch.chdir(PROJECT)
    external = artefacts.external("mnist")
    if not all(list(external.glob(f"{name}*")) for name in mnist.FILES):
        pytest.skip(f"MNIST's four files are not in {external}")
    params = config.load(PROJECT / "params.yaml")
    pinned = params.dataset("mnist").sha256
    arrays = sources.load("mnist", params, artefacts.root(), artefacts.external)
    assert arrays["images"].shape == (70_000, 28, 28)
    assert hashlib.sha256(arrays["images"].tobytes()).hexdigest() == pinned.images
    assert hashlib.sha256(arrays["labels"].tobytes()).hexdigest() == pinned.labels


# OpenML, as a server on the loopback that speaks its layout

SEARCH = "/api/v1/json/data/list/data_name/mnist_784/limit/2/data_version/1"
ABOUT = "/api/v1/json/data/554"
FEATURES = "/api/v1/json/data/features/554"
QUALITIES = "/api/v1/json/data/qualities/554"
ARFF = "/data/v1/download/52667/mnist_784.arff"
PLACES = [SEARCH, ABOUT, FEATURES, QUALITIES, ARFF]


class OpenML(ThreadingHTTPServer):
    """Answers as OpenML does with as many images as given, or misbehaves at one place."""

    def __init__(self, pixels, labels):
        super().__init__(("127.0.0.1", 0), Answer)
        self.url = f"http://127.0.0.1:{self.server_port}"
        self.requested = []
        self.silent_at = self.truncated_at = self.interrupted_at = None
        self.gzips = True
        self.closing = threading.Event()
        names = [f"pixel{number}" for number in range(1, 785)]
        rows = [
            ",".join(map(str, [*row, label])) for row, label in zip(pixels, labels, strict=True)
        ]
        arff = "\n".join(
            [
                "% MNIST",
                "@RELATION mnist_784",
                *(f"@ATTRIBUTE {name} real" for name in names),
                "@ATTRIBUTE class {0,1,2,3,4,5,6,7,8,9}",
                "@DATA",
                *rows,
            ]
        ).encode()
        feature = {"is_ignore": "false", "is_row_identifier": "false"}
        feature |= {"number_of_missing_values": "0", "is_target": "false", "data_type": "numeric"}
        features = [feature | {"index": str(at), "name": name} for at, name in enumerate(names)]
        target = {"index": "784", "name": "class", "is_target": "true", "data_type": "nominal"}
        qualities = [{"name": "NumberOfInstances", "value": f"{len(rows)}.0"}]
        self.about = {
            "id": "554",
            "name": "mnist_784",
            "version": "1",
            "status": "active",
            "format": "ARFF",
            "description": "The MNIST database of handwritten digits",
            "url": self.url + ARFF,
            "md5_checksum": hashlib.md5(arff).hexdigest(),
        }
        found = [{"did": 554, "name": "mnist_784", "version": 1, "status": "active"}]
        self.content = {
            SEARCH: {"data": {"dataset": found}},
            ABOUT: {"data_set_description": self.about},
            FEATURES: {"data_features": {"feature": [*features, feature | target]}},
            QUALITIES: {"data_qualities": {"quality": qualities}},
            ARFF: arff,
        }


class Answer(BaseHTTPRequestHandler):
    def log_message(self, *args):
        pass

    def do_GET(self):
        server = self.server
        server.requested.append(self.path)
        if self.path == server.silent_at:
            server.closing.wait()
            return
        content = server.content.get(self.path)
        if content is None:
            self.send_error(404)
            return
        body = content if isinstance(content, bytes) else json.dumps(content).encode()
        self.send_response(200)
        if server.gzips:
            body = gzip.compress(body)
            self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.path in (server.truncated_at, server.interrupted_at):
            body = body[: len(body) // 2]
        self.wfile.write(body)
        if self.path == server.interrupted_at:
            # To the thread, so that it wakes from its reading, and with the connection held open:
            # the end of the body must not come before the interrupt.
            signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)
            server.closing.wait()


@pytest.fixture(scope="module")
def digits():
    """20 images as rows of 784 whole numbers 0…255, and their labels."""
    draw = np.random.default_rng(1)
    pixels = draw.integers(0, 256, (20, 784))
    pixels[0, :2] = 0, 255
    return pixels, np.arange(20) % 10


@pytest.fixture
def serve(monkeypatch, tmp_path):
    """Starts an OpenML, and turns what scikit-learn requests of the real one to it."""
    started = []
    home, temporary = tmp_path / "home", tmp_path / "temporary"
    home.mkdir()
    temporary.mkdir()
    monkeypatch.setenv("no_proxy", "*")
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.delenv("SCIKIT_LEARN_DATA", raising=False)
    monkeypatch.setattr(tempfile, "tempdir", str(temporary))
    monkeypatch.setattr(_openml.time, "sleep", lambda seconds: None)  # between its attempts

    def start(pixels, labels):
        server = OpenML(pixels, labels)
        for name in ("_SEARCH_NAME", "_DATA_INFO", "_DATA_FEATURES", "_DATA_QUALITIES"):
            address = getattr(_openml, name).replace("https://www.openml.org", server.url)
            monkeypatch.setattr(_openml, name, address)
        threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
        started.append(server)
        return server

    yield start
    for server in started:
        server.closing.set()
        server.shutdown()
        server.server_close()
    assert not list(home.iterdir())
    assert not list(temporary.iterdir())  # whatever happened, no file is left


def failed_download(external, *words):
    ways_forward = ("train-images-idx3-ubyte", "dvc repro compare@digits")
    with warnings.catch_warnings(record=True, action="always") as warned:
        message = refused(external, str(external), "www.openml.org", *ways_forward, *words)
    assert not warned  # scikit-learn's talk of retries and caches
    return message


@pytest.mark.parametrize("gzips", [True, False])
def test_downloads_from_openml(serve, digits, tmp_path, gzips, capsys):
    pixels, labels = digits
    server = serve(pixels, labels)
    server.gzips = gzips
    with warnings.catch_warnings(action="error"):
        arrays = mnist.load(tmp_path / "absent")
    images = pixels.reshape(20, 28, 28).astype(np.uint8)
    np.testing.assert_array_equal(arrays["images"], images, strict=True)
    np.testing.assert_array_equal(arrays["labels"], labels.astype(np.uint8), strict=True)
    assert server.requested == PLACES
    output = capsys.readouterr()
    assert output.out == ""
    assert "downloading mnist_784 from www.openml.org" in output.err
    assert "downloaded 20 images" in output.err


def test_a_folder_with_other_files_goes_to_openml(serve, digits, tmp_path):
    (tmp_path / "README.md").write_text("put MNIST here")
    serve(*digits)
    assert len(mnist.load(tmp_path)["images"]) == 20


def test_a_terminal_sees_a_bar_of_the_download(serve, digits, tmp_path, monkeypatch):
    class Terminal(io.StringIO):
        def isatty(self):
            return True

    monkeypatch.setattr("sys.stderr", Terminal())
    server = serve(*digits)
    server.gzips = False
    mnist.load(tmp_path / "absent")
    size = len(server.content[ARFF]) / 1000
    assert re.search(rf"100%\|[^|]+\| {size:.1f}k/{size:.1f}k", sys.stderr.getvalue())


def test_afterwards_urllib_is_as_it_was(serve, digits, tmp_path):
    server = serve(*digits)
    server.silent_at = ARFF
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(mnist, "TIMEOUT", 0.1)
        failed_download(tmp_path)
    # A response of urllib's own, not one that a bar listens to, and no timeout of ours.
    with urllib.request.urlopen(server.url + ABOUT) as response:
        assert type(response).__module__ == "http.client"
        assert response.fp.raw._sock.gettimeout() is None


def test_a_corrupt_download(serve, digits, tmp_path):
    server = serve(*digits)
    server.content[ARFF] = server.content[ARFF].replace(b",255,", b",254,", 1)
    message = failed_download(tmp_path, "md5 checksum", server.about["md5_checksum"])
    assert "cache" not in message.split(server.about["md5_checksum"])[1]


@pytest.mark.parametrize("gzips", [True, False])
@pytest.mark.parametrize("place", PLACES)
def test_a_truncated_download(serve, digits, tmp_path, place, gzips):
    server = serve(*digits)
    server.truncated_at, server.gzips = place, gzips
    failed_download(tmp_path)


@pytest.mark.parametrize("place", PLACES)
def test_a_silent_server_is_given_up_within_a_minute(serve, digits, tmp_path, monkeypatch, place):
    server = serve(*digits)
    server.silent_at = place
    patience = mnist.TIMEOUT
    monkeypatch.setattr(mnist, "TIMEOUT", 0.1)
    failed_download(tmp_path, "timed out")
    pause = 1  # scikit-learn's, between its attempts
    assert server.requested.count(place) * (patience + pause) < 60


def test_an_unreachable_server(serve, digits, tmp_path):
    server = serve(*digits)
    server.shutdown()
    server.server_close()
    failed_download(tmp_path, "Connection refused")


@pytest.mark.parametrize("place", PLACES)
def test_a_server_that_lacks_something(serve, digits, tmp_path, place):
    server = serve(*digits)
    del server.content[place]
    failed_download(tmp_path, "404")


@pytest.mark.parametrize("nonsense", [b"<html>Log in to this network</html>", b"[]", b"null"])
@pytest.mark.parametrize("place", PLACES[:-1])
def test_a_server_that_answers_nonsense(serve, digits, tmp_path, place, nonsense):
    server = serve(*digits)
    server.content[place] = nonsense
    failed_download(tmp_path)


@pytest.mark.parametrize("value", [256, -1, 0.5, "?"])
def test_openml_pixels_that_are_no_bytes(serve, digits, tmp_path, value):
    pixels = digits[0].astype(object)
    pixels[3, 4] = value
    serve(pixels, digits[1])
    failed_download(tmp_path, "whole numbers in 0…255")


def test_an_interrupted_download_ends_at_once(serve, digits, tmp_path):
    server = serve(*digits)
    server.interrupted_at = ARFF
    inherited = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & ignores it
    try:
        with pytest.raises(KeyboardInterrupt):
            mnist.load(tmp_path)
    finally:
        signal.signal(signal.SIGINT, inherited)
    assert server.requested == PLACES
