"""Asks the declared questions about a decision before its gates run.

With slots, a time-out, and never past the deadline. What fails is an answer too: gates that read it refuse
(`LOOKUP_FAILED`).
"""

from __future__ import annotations

import asyncio
from typing import Any

from lictor.declarations.declared import Declared
from lictor.declarations.gates import Lookup
from lictor.declarations.plain import told
from lictor.runtime.cancellation import being_cancelled

from .snapshot import LookupFailure


class Lookups:
    """The lookups of one App."""

    def __init__(self, app: Declared) -> None:
        self._of_kind = {name: tuple(q for q in app.lookups.values() if name in q.kinds) for name in app.kinds}
        self._slots = {name: asyncio.Semaphore(lookup.slots) for name, lookup in app.lookups.items()}

    def needed(self, kind: str) -> bool:
        """Whether decisions of this kind must be asked about."""
        return bool(self._of_kind[kind])

    async def ask(self, kind: str, value: Any, left_s: float) -> dict[str, Any]:
        """The answers to all questions of a kind, by name."""
        questions = self._of_kind[kind]
        answers = await asyncio.gather(*(self._one(question, value, left_s) for question in questions))
        return {question.name: answer for question, answer in zip(questions, answers, strict=True)}

    async def _one(self, question: Lookup[Any], value: Any, left_s: float) -> Any:
        timeout_s = min(question.timeout_s, max(0.0, left_s))
        try:
            async with asyncio.timeout(timeout_s), self._slots[question.name]:
                return await question.ask(value)
        except TimeoutError:
            return LookupFailure(f"no answer within {timeout_s:.3g} s")
        except asyncio.CancelledError as error:  # of this question, or of something that it waited for
            if being_cancelled():
                raise
            return LookupFailure(told(error))
        except Exception as error:  # noqa: BLE001 - user code; gates that read it fail closed
            return LookupFailure(told(error))
