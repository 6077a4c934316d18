"""Seeds, determinism, threads, instruction sets: the only place that sets global state.

What is pinned here is pinned to values that every x86-64 processor with AVX2 can keep, so that
the same inputs give the same bytes on all of them.
"""

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from glassnets.config.schema import Runtime

Item = TypeVar("Item")
Result = TypeVar("Result")


def pin_processor() -> None:
    """Holds NumPy, OpenBLAS and oneDNN to AVX2 code paths.

    They choose by the processor they find when they are loaded, so call this before NumPy is.
    """
    os.environ["NPY_DISABLE_CPU_FEATURES"] = "X86_V4 AVX512_ICL AVX512_SPR"
    os.environ["OPENBLAS_CORETYPE"] = "Haswell"
    os.environ["OPENBLAS_NUM_THREADS"] = "1"
    os.environ["ONEDNN_MAX_CPU_ISA"] = "AVX2"
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    os.environ["CUDA_VISIBLE_DEVICES"] = ""
    os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"
    os.environ["KERAS_BACKEND"] = "tensorflow"


def start_tensorflow(runtime: Runtime) -> None:
    """Imports TensorFlow with deterministic kernels and a fixed number of threads.

    Once a process, before any tensor is made.
    """
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(runtime.intra_op_threads)
    os.environ["TF_NUM_INTEROP_THREADS"] = str(runtime.inter_op_threads)
    os.environ["OMP_NUM_THREADS"] = str(runtime.intra_op_threads)
    with _silent_stderr():  # TensorFlow greets before its log level is heeded
        import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(runtime.intra_op_threads)
    tf.config.threading.set_inter_op_parallelism_threads(runtime.inter_op_threads)
    tf.config.experimental.enable_op_determinism()


def set_seed(seed: int) -> None:
    """Starts a run afresh: what is drawn and named after this depends on the seed alone."""
    import keras

    keras.backend.clear_session()
    keras.utils.set_random_seed(seed)


_thread = threading.local()


def concurrently(
    function: Callable[[Item], Result], items: Iterable[Item], *, compiled: bool = False
) -> list[Result]:
    """The function's results, in the order of the items, computed on as many threads as TensorFlow
    runs operations beside each other. No result depends on how many these are.

    compiled: whether TensorFlow has nothing left to compile; otherwise the first item comes alone,
    since what it has compiled serves the others. On a thread of another call's all come in turn.
    """
    import tensorflow as tf

    items = list(items)
    threads = tf.config.threading.get_inter_op_parallelism_threads()
    if threads < 2 or len(items) < 2 or hasattr(_thread, "of_a_call"):
        return [function(item) for item in items]
    first = [] if compiled else [function(items.pop(0))]

    def begin() -> None:
        _thread.of_a_call = True

    with ThreadPoolExecutor(threads, initializer=begin) as pool:
        return [*first, *pool.map(function, items)]


@contextmanager
def _silent_stderr() -> Iterator[None]:
    """Keeps what native code writes to the process's standard error from the terminal."""
    kept = os.dup(2)
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), 2)
    try:
        yield
    finally:
        os.dup2(kept, 2)
        os.close(kept)
