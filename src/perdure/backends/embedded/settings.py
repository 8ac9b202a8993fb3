"""Settings for running llama.cpp with one conversation at a time, and the import of its package."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from types import ModuleType

from perdure.backends.embedded.gguf import NotGguf, trained_window
from perdure.backends.errors import DriverMissing, ModelMissing
from perdure.backends.protocol import BackendSpec
from perdure.backends.store.catalogue import check_package, install_command

DEFAULT_WINDOW = 8192
"""Where a manifest names no window: larger ones of today's models would take many gigabytes."""

COUNTING_WINDOW = 256
"""Of a model that only counts: the room for a window is most of what a small model takes, 188 of
360 MB for the rehearsal voice."""

PROMPT_STEP = 64
"""Tokens of prompt read between two chances to stop. llama.cpp's default of 2048 made a stop wait
14 s for a long prompt on two cores; 64 makes it 0.4 s and reads no slower there."""


def server_parameters(
    xllamacpp: ModuleType, spec: BackendSpec, path: Path, key: str, *, counting: bool = False
) -> object:
    """Xllamacpp's parameters for one model. Raises ModelMissing if the file is no model."""
    parameters = xllamacpp.CommonParams()
    parameters.model.path = str(path)
    parameters.model_alias = spec.name
    parameters.verbosity = -1
    parameters.api_keys = [key]
    parameters.ui = False
    parameters.endpoint_slots = False
    # Its numbers are the one question that only the server's own loop answers; see _wait_for_loop.
    parameters.endpoint_metrics = True
    parameters.n_threads_http = 2
    # One reply at a time: a second slot would halve the window, and answers computed side by
    # side differ in their last bits, so seeds would not hold.
    parameters.n_parallel = 1
    window = window_of(spec, path)
    parameters.n_ctx = min(window, COUNTING_WINDOW) if counting else window
    parameters.n_batch = PROMPT_STEP
    # The default sets up to 8 GB aside for prompts of other slots; there are none.
    parameters.cache_ram_mib = 0
    # Both only cost time before the first word: 0.5 s of a trial run and 0.4 s of probing memory.
    parameters.warmup = False
    parameters.fit_params = False
    cores = _cores()
    if cores:
        parameters.cpuparams_batch.n_threads = cores
        # One core is left to the screen: on a busy machine two threads that wait for each other
        # at every layer wrote 4 tokens/s here where one wrote 39.
        parameters.cpuparams.n_threads = max(1, cores - 1)
    return parameters


def _cores() -> int:
    """Physical cores this process may use; 0 lets llama.cpp decide, which knows macOS."""
    if sys.platform != "linux":
        return 0
    cores = set()
    for cpu in os.sched_getaffinity(0):
        siblings = Path(f"/sys/devices/system/cpu/cpu{cpu}/topology/thread_siblings_list")
        with contextlib.suppress(OSError):
            cores.add(siblings.read_text())
    return len(cores)


def import_xllamacpp() -> ModuleType:
    """Import the package, 100 MB of machine code. Raises DriverMissing.

    Its threads wait for one another by spinning for milliseconds, which on a busy machine takes
    the time from the thread that is waited for: 4 tokens/s of prompt against 61 with a short spin.
    GNU OpenMP reads the setting once, as it is loaded; programs started later do not inherit it.
    """
    check_package()
    name = "GOMP_SPINCOUNT"
    ours = not os.environ.keys() & {name, "OMP_WAIT_POLICY"}
    if ours:
        os.environ[name] = "1000"
    try:
        import xllamacpp
    except ImportError as error:
        raise DriverMissing(
            f"the package xllamacpp cannot be imported: {error}",
            next_step=f"reinstall it with: {install_command()}",
        ) from error
    finally:
        if ours:
            del os.environ[name]
    module: ModuleType = xllamacpp
    return module


def window_of(spec: BackendSpec, path: Path) -> int:
    """The window a model gets, in tokens. Raises ModelMissing if the file is no model."""
    try:
        trained = trained_window(path)
    except (NotGguf, OSError) as error:
        raise ModelMissing(
            f"llama.cpp cannot load {path}: {error}", next_step="check the manifest's model"
        ) from error
    return min(spec.context_window or DEFAULT_WINDOW, trained)
