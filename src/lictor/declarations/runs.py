"""A run: what a program or an agent does under one name, and from which calls get keys that a retry finds again.

The key of a call is made of its run, its step, the function's name and the canonical arguments: nothing that changes
when a framework, a model or a process tries again. The same call in the same run and step is the same call and has its
effect once; to do the same again on purpose, name another step.
"""

from __future__ import annotations

from contextvars import ContextVar, Token
from hashlib import sha256
from typing import Self
from urllib.parse import quote

from lictor.errors import DeclarationError

#: How often the same call of a run is tried anew after a try that certainly had no effect.
TRIES_MAX = 64
#: Longer names are shortened to a digest, so that a key stays below what a journal takes.
_PART_MAX = 120
#: Answers that stand for the whole step: a person has said no, or the key is bound to something else.
_FINAL = frozenset({"APPROVAL_DENIED", "KEY_REUSED", "ARCHIVED", "MALFORMED"})


class Run:
    """What the calls inside `with Run("order-4711"):` belong to; take an id that is the same when the run is repeated.

    `with run.step("second reminder"):` names a step: the same call there is another one.
    """

    __slots__ = ("_tokens", "id", "step_name")

    def __init__(self, id: str, *, step: str = "") -> None:  # noqa: A002 - the word of the record
        """Name a run.

        Raises:
            DeclarationError: the id is empty or no text.
        """
        if not id or type(id) is not str:
            raise DeclarationError(f"Run({id!r}): a run has an id that is the same whenever it is repeated")
        self.id = id
        self.step_name = step
        self._tokens: list[Token[Run | None]] = []

    def step(self, name: str) -> Run:
        """A step of it, inside the step that this one is, if it is one."""
        return Run(self.id, step=f"{self.step_name}/{name}" if self.step_name else name)

    @staticmethod
    def current() -> Run | None:
        """The run that the code runs in; None outside."""
        return _CURRENT.get()

    def key(self, name: str, arguments: bytes) -> str:
        """The key of a call of it: function or kind, and canonical arguments."""
        return call_key(self.id, self.step_name, name, arguments)

    def __enter__(self) -> Self:
        self._tokens.append(_CURRENT.set(self))
        return self

    def __exit__(self, *_: object) -> None:
        _CURRENT.reset(self._tokens.pop())

    def __repr__(self) -> str:
        return f"Run({self.id!r}, step={self.step_name!r})" if self.step_name else f"Run({self.id!r})"


_CURRENT: ContextVar[Run | None] = ContextVar("lictor_run", default=None)


def call_key(run: str, step: str, name: str, arguments: bytes) -> str:
    """The key of a call: readable, without the arguments themselves, and never the same for two different calls."""
    return f"{_part(run)}/{_part(step)}/{_part(name)}/{sha256(arguments).hexdigest()[:32]}"


def nth(key: str, tried: int) -> str:
    """The key of the next try of a call of which so many had no effect."""
    return key if tried == 0 else f"{key}~{tried + 1}"


def tries_again(result: str, code: str | None, outcome: str | None, *, failed_is_certain: bool) -> bool:
    """Whether a call that is made again may be tried anew: its last try certainly had no effect.

    Args:
        result: of the verdict.
        code: of the verdict.
        outcome: result of the outcome; None while there is none.
        failed_is_certain: an outcome `failed` says that nothing happened.

    """
    if result == "refused":
        return code not in _FINAL
    return outcome == "expired" or (outcome == "failed" and failed_is_certain)


def _part(text: str) -> str:
    quoted = quote(text.encode(errors="backslashreplace"), safe=" :@,;=+")
    return quoted if len(quoted) <= _PART_MAX else f"{quoted[:40]}..{sha256(text.encode()).hexdigest()[:32]}"
