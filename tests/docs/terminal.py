"""Runs the commands of a page: those of `lictor` in this process where that is all, else all of them in one bash."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from signal import SIGKILL
from typing import Protocol

from tests.surfaces.shell import Shell

READY = "ready on"


class Terminal(Protocol):
    def __call__(self, command: str) -> str: ...
    def end(self) -> None: ...


def terminal(commands: list[str], shell: Shell) -> Terminal:
    """One that understands all of these commands."""
    plain = all(command == "kill -9 %1" or _only_lictor(command) or _alone(command) for command in commands)
    return InProcess(shell) if plain else Bash(shell.folder)


def _only_lictor(command: str) -> bool:
    return command.startswith("lictor ") and not re.search(r"\$|[|<>`]", re.sub(r"'[^']*'", "", command))


def _alone(command: str) -> bool:
    """It has nothing to do with the commands around it but files."""
    return not re.search(r"lictor|python|\$|\bexport\b|&$", command)


class InProcess:
    """`lictor` without starting an interpreter for each command; a node is a process all the same."""

    def __init__(self, shell: Shell) -> None:
        self.shell = shell
        self.node: subprocess.Popen[str] | None = None

    def __call__(self, command: str) -> str:
        if command.endswith(" &"):
            return self._start(command.removesuffix(" &"))
        if command == "kill -9 %1":
            self.end()
            return ""
        if not command.startswith("lictor "):
            ran = ["bash", "-c", command]
            return subprocess.run(ran, cwd=self.shell.folder, capture_output=True, text=True, check=True).stdout
        _, *arguments = shlex.split(command)
        _, out, err = self.shell(*arguments)
        return "".join(line.rstrip() + "\n" for line in (out + err).splitlines())

    def _start(self, command: str) -> str:
        _, *arguments = shlex.split(command)
        self.node = subprocess.Popen(
            [sys.executable, "-m", "lictor", *arguments], cwd=self.shell.folder, stderr=subprocess.PIPE, text=True
        )
        said = []
        for line in self.node.stderr:
            said.append(line)
            if line.startswith(READY):
                break
        return "".join(said)

    def end(self) -> None:
        if self.node is not None:
            self.node.send_signal(SIGKILL)
            self.node.communicate()
            self.node = None


class Bash:
    """One bash for a whole page; what it starts in the background is ready when it says so."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        surroundings = {"PATH": path, "HOME": str(folder), "COLUMNS": "120", "LANG": "C.UTF-8", "NO_COLOR": "1"}
        surroundings["LOGNAME"] = surroundings["USER"] = "you"
        self.bash = subprocess.Popen(
            ["bash", "--norc"],
            cwd=folder,
            env=surroundings,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        self.logs = 0

    def __call__(self, command: str) -> str:
        if command == "kill -9 %1":
            return self._run("{ kill -9 %1 && wait %1; } 2> /dev/null")
        if command.endswith(" &"):
            self.logs += 1
            log = f".log{self.logs}"
            # `tail --pid` ends with the process, so that one that fails is seen, too.
            self._run(f": > {log}; {command.removesuffix(' &')} >> {log} 2>&1 & JOB=$!")
            return self._run(f"tail --pid=$JOB -n +1 -f {log} | sed '/^{READY}/q'")
        return self._run(command)

    def _run(self, command: str) -> str:
        self.bash.stdin.write(f"{command}\necho; echo =done=\n")
        self.bash.stdin.flush()
        said = []
        for line in self.bash.stdout:
            if line == "=done=\n":
                break
            said.append(line.rstrip() + "\n")
        text = "".join(said)
        return text.removesuffix("\n") if text.endswith("\n\n") or text == "\n" else text

    def end(self) -> None:
        if self.bash.poll() is None:
            os.killpg(self.bash.pid, SIGKILL)
        self.bash.communicate()
