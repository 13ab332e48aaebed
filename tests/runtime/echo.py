"""What worker processes of the tests serve: requests say how they are to be answered."""

import ctypes
import os
import time


def maker(argument: str):
    """Answers with the argument and the request, or does what the request says."""

    def serve(request: bytes) -> bytes:
        if request == b"die":
            os._exit(7)
        if request == b"spin":
            while True:
                pass
        if request == b"hold":  # never lets another thread of this process run
            ctypes.PyDLL(None).usleep(600_000_000)
        if request == b"print":
            print("to nobody's answer")
        if request == b"pid":
            return str(os.getpid()).encode()
        if request == b"child":
            return str(os.spawnlp(os.P_NOWAIT, "sleep", "sleep", "600")).encode()
        if request == b"slow":
            time.sleep(0.2)
        return argument.encode() + request

    return serve


def refuses(argument: str):
    raise ValueError("not today")
