"""What the README shows is what happens."""

import json
import os
import re
import shutil
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

README = Path(__file__).parents[1] / "README.md"
LICTOR = Path(sys.executable).with_name("lictor")


def blocks(language: str) -> list[str]:
    """The fenced blocks of one language, which may name a file."""
    return re.findall(rf"```{language}\n(.*?)```", README.read_text(), re.DOTALL)


def test_the_first_screen_prints_what_it_says(tmp_path: Path) -> None:
    """The code runs as it stands, prints the table beside it, writes one file, and a second run does nothing again."""
    (code,), (said,) = blocks("python"), blocks("text")
    for again in (False, True):
        ran = subprocess.run(
            [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
        )
        lines = ran.stdout.splitlines()
        if not again:
            assert lines == said.splitlines()
        assert [line.removesuffix("again").rstrip() for line in lines] == [
            line.removesuffix("again").rstrip() for line in said.splitlines()
        ]
    assert sorted(p.name for p in tmp_path.iterdir() if p.suffix == ".txt") == ["a.txt"]
    assert not (tmp_path.parent / "b.txt").exists()


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@contextmanager
def started(command: list[str], folder: Path, ready: str | None) -> Iterator[list[str]]:
    """A program in the background, from when it says that it is ready; gives the lines that it has printed."""
    env = {**os.environ, "HOOK_SECRET": "hush"}
    ran = subprocess.Popen(
        command, cwd=folder, env=env, text=True, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, bufsize=1
    )
    said: list[str] = []
    is_ready = threading.Event()

    def listen() -> None:
        for line in ran.stdout:
            said.append(line.rstrip())
            if ready is not None and ready in line:
                is_ready.set()
        is_ready.set()

    listener = threading.Thread(target=listen)
    listener.start()
    try:
        if ready is not None:
            assert is_ready.wait(60), said
        yield said
    finally:
        ran.terminate()
        ran.wait(30)
        listener.join(30)
        ran.stdout.close()


@pytest.mark.skipif(not (shutil.which("curl") and shutil.which("openssl")), reason="the README uses curl and openssl")
def test_what_is_served_decides_as_it_says_and_an_approval_lets_the_held_one_go(tmp_path: Path) -> None:
    ports = {"127.0.0.1:9000": f"127.0.0.1:{free_port()}", "127.0.0.1:8700": f"127.0.0.1:{free_port()}"}

    def here(text: str) -> str:
        for was, now in ports.items():
            text = text.replace(was, now).replace(f'("127.0.0.1", {was[-4:]})', f'("127.0.0.1", {now[10:]})')
        return text

    for name in ("pay.py", "bank.py"):
        (code,) = blocks(f'python title="{name}"')
        (tmp_path / name).write_text(here(code))
    (shell,) = blocks("sh")
    background, asking = here(shell).split("\n\n", 1)
    bank, run = (re.sub(r"&.*", "", line).split() for line in background.splitlines())
    again = asking + "\n" + next(line for line in asking.splitlines() if line.startswith("ask p-3"))
    with (
        started([sys.executable, *bank[1:]], tmp_path, None) as paid,
        started([str(LICTOR), *run[1:]], tmp_path, "ready on"),
    ):
        answers = asked(asking, tmp_path)
        subprocess.run([LICTOR, "approve", "p-3", "--by", "ana", "--journal", "pay.db"], cwd=tmp_path, check=True)
        outcome = asked(again, tmp_path)[-1]
    verdicts = [(answer["verdict"]["result"], answer["verdict"]["code"]) for answer in answers]
    assert verdicts == [("admitted", None), ("refused", "PAYEE_UNKNOWN"), ("held", "LARGE"), ("admitted", None)]
    assert answers[1]["verdict"]["rulings"][-1]["seen"] == {"to": "eve"}
    assert outcome["outcome"]["result"] == "succeeded"
    assert sorted(paid) == [
        'the bank got /payments/ann {"amount":40}',
        'the bank got /payments/ann {"amount":7}',
        'the bank got /payments/bob {"amount":600}',
    ]


def asked(script: str, folder: Path) -> list[dict]:
    """What the commands of a shell print, a line of JSON each."""
    path = f"{LICTOR.parent}:{os.environ['PATH']}"
    env = {**os.environ, "HOOK_SECRET": "hush", "PATH": path}
    ran = subprocess.run(
        ["sh", "-eu", "-c", script], cwd=folder, env=env, capture_output=True, text=True, timeout=100, check=False
    )
    assert ran.returncode == 0, ran.stderr
    decoder, text, found = json.JSONDecoder(), ran.stdout.strip(), []
    while text:
        answer, end = decoder.raw_decode(text)
        found.append(answer)
        text = text[end:].strip()
    return found
