"""The inside of a worker process: answers requests on its standard input, one at a time, until that ends.

A frame is four bytes of length and that many bytes. The first one names what serves: `module:maker`, and what the maker
is called with; it gives a function from request to answer. What the served code prints goes to standard error.

The process ends with its node, however that ends: a thread of its own sees the end of its input, and on Linux the
kernel kills it as well, should its code hold the interpreter and let no other thread run.
"""

from __future__ import annotations

import ctypes
import importlib
import os
import queue
import signal
import sys
import threading
from collections.abc import Callable
from typing import Any

#: Answers to the first frame: it is ready, or why it is not.
READY, FAILED = b"+", b"-"
#: `prctl`: the signal that a process gets when its parent dies (linux/prctl.h).
_SET_PARENT_DEATH_SIGNAL = 1
_LENGTH = 4


def main() -> None:
    """Serve until the input ends."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_SET_PARENT_DEATH_SIGNAL, signal.SIGKILL)
    source, sink = os.dup(0), os.dup(1)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    requests: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_read, args=(source, requests), name="lictor-requests", daemon=True).start()
    try:
        serve = _served(requests.get().decode())
    except BaseException as error:  # noqa: BLE001 - importing is user code; why it failed is told, not only that it did
        _write(sink, FAILED + f"{type(error).__name__}: {error}".encode(errors="replace"))
        return
    _write(sink, READY)
    while True:
        _write(sink, serve(requests.get()))


def resolve(name: str) -> Any:
    """What `module:attribute.of.it` names.

    Raises:
        ImportError, AttributeError: there is no such thing.
    """
    module, _, path = name.partition(":")
    found: Any = importlib.import_module(module)
    for attribute in path.split("."):
        found = getattr(found, attribute)
    return found


def _served(names: str) -> Callable[[bytes], bytes]:
    maker, _, argument = names.partition("\n")
    serve: Callable[[bytes], bytes] = resolve(maker)(argument)
    return serve


def _read(source: int, requests: queue.SimpleQueue[bytes]) -> None:
    with os.fdopen(source, "rb") as stream:
        while len(length := stream.read(_LENGTH)) == _LENGTH:
            requests.put(stream.read(int.from_bytes(length, "big")))
    os._exit(0)  # the node is gone, or closes this worker


def _write(sink: int, data: bytes) -> None:
    data = len(data).to_bytes(_LENGTH, "big") + data
    while data:
        data = data[os.write(sink, data) :]
