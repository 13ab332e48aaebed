"""The real world is fenced off while a simulation runs, and only then."""

import asyncio
import os
import signal
import socket
import subprocess
import threading
import time

import pytest
from tests.testing.medley import medley

from lictor.testing import FenceError, run

FENCED = {
    "a thread": lambda: threading.Thread(target=print).start(),
    "a process": lambda: subprocess.run(["true"], check=True),
    "a fork": os.fork,
    "a shell": lambda: os.system("true"),
    "a socket": socket.socket,
    "a name": lambda: socket.getaddrinfo("localhost", 80),
    "a signal handler": lambda: signal.signal(signal.SIGUSR1, signal.SIG_IGN),
    "a real sleep": lambda: time.sleep(0),
    "a reader on the loop": lambda: asyncio.get_running_loop().add_reader(0, print),
    "a signal handler on the loop": lambda: asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, print),
}


@pytest.mark.parametrize("reach", FENCED.values(), ids=FENCED)
def test_the_real_world_is_fenced_off(reach):
    async def main(_loop):
        with pytest.raises(FenceError):
            reach()

    run(1, main)


@pytest.mark.parametrize(
    "reach",
    [
        lambda: asyncio.open_connection("localhost", 80),
        lambda: asyncio.start_server(print, "localhost", 0),
        lambda: asyncio.create_subprocess_exec("true"),
        lambda: asyncio.create_subprocess_shell("true"),
        lambda: asyncio.open_unix_connection("/nowhere"),
    ],
)
def test_streams_and_subprocesses_of_asyncio_are_fenced_off(reach):
    async def main(_loop):
        with pytest.raises(FenceError):
            await reach()

    run(1, main)


def test_outside_a_run_there_is_no_fence():
    run(1, medley)
    thread = threading.Thread(target=print, args=("",))
    thread.start()
    thread.join()
    socket.socket().close()
    time.sleep(0)
    assert signal.signal.__module__ == "signal"
