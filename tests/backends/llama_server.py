"""Run by a test in a process of its own: llama.cpp's server with a model, until stdin ends."""

from __future__ import annotations

import sys
from pathlib import Path

from perdure.backends.embedded.settings import import_xllamacpp, server_parameters
from perdure.backends.protocol import BackendSpec

path, window, key = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3]
xllamacpp = import_xllamacpp()
spec = BackendSpec("smollm2", "embedded", str(path), context_window=window)
server = xllamacpp.Server(server_parameters(xllamacpp, spec, path, key))
print(server.listening_address, flush=True)
sys.stdin.read()
