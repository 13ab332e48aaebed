"""What is listed and what is done when a tool is called, for one caller; knows nothing of the protocol's own types.

Nothing holds a connection: a call that waits for a person is answered at once with its decision, whose outcome is
fetched later, by `lictor_outcome` or by making the same call again. A client that gives up loses nothing by it.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import msgspec

from lictor.errors import LictorError, MalformedError, NodeStoppedError, NotFoundError

#: What a client may say in `_meta` of a call.
RUN, STEP, KEY, WAIT_S = "lictor/run", "lictor/step", "lictor/key", "lictor/wait_s"
OUTCOME, CANCEL = "lictor_outcome", "lictor_cancel"
#: How long a call waits for its outcome before it is answered `unfinished`; below what clients wait for an answer.
ANSWER_WITHIN_S = 20.0
WAIT_S_MAX = 300.0

#: Asks a node: a request by name and what is given with it.
Ask = Callable[..., Awaitable[Any]]

_DECISION = {"type": "string", "description": "The id that the call was answered with."}
_OWN: tuple[dict[str, Any], ...] = (
    {
        "name": OUTCOME,
        "description": "What became of a call that was held for approval, or had no outcome yet. Waits up to wait_s.",
        "schema": {
            "type": "object",
            "properties": {
                "decision": _DECISION,
                "wait_s": {"type": "number", "minimum": 0, "maximum": WAIT_S_MAX, "default": 0},
            },
            "required": ["decision"],
            "additionalProperties": False,
        },
        "reads_only": True,
        "idempotent": True,
    },
    {
        "name": CANCEL,
        "description": "Withdraw a call that has not happened yet. What has started is asked to stop.",
        "schema": {
            "type": "object",
            "properties": {"decision": _DECISION, "reason": {"type": "string", "default": ""}},
            "required": ["decision"],
            "additionalProperties": False,
        },
        "reads_only": False,
        "idempotent": True,
    },
)
#: Of every answer.
ANSWER_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "status": {
            "type": "string",
            "description": "succeeded, refused, shed, held (for a person), unfinished, failed, expired, cancelled",
        },
        "result": {"description": "What the call gave."},
        "decision": {"type": ["string", "null"]},
        "duplicate": {"type": "boolean", "description": "The same call was made before; this is its answer."},
        "code": {"type": "string"},
        "why": {"type": "string"},
        "allowed": {"type": "object", "description": "What would have been allowed."},
        "next": {"type": "string"},
        "retry_after_s": {"type": "number"},
        "verdict": {"type": "object"},
        "outcome": {"type": ["object", "null"]},
    },
    "required": ["status"],
}


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to a call: for programs, for models, and whether it is an error to them."""

    data: dict[str, Any]
    texts: tuple[str, ...]
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class Caller:
    """For whom calls are made. What is None follows from the credential, or is the node's default."""

    source: str | None = None
    tenant: str | None = None
    run: str | None = None
    answer_within_s: float = ANSWER_WITHIN_S


class Calls:
    """The tools of one node for one caller."""

    def __init__(self, ask: Ask, caller: Caller) -> None:
        self._ask = ask
        self._caller = caller
        self._kinds: dict[str, str] | None = None

    async def tools(self) -> list[dict[str, Any]]:
        """All tools: the kinds', and those by which a caller follows what it has asked for."""
        found: list[dict[str, Any]] = await self._ask("tools")
        self._kinds = {tool["name"]: tool["kind"] for tool in found}
        return [*found, *_OWN]

    async def call(self, name: str, arguments: dict[str, Any], meta: Mapping[str, Any]) -> Answered:
        """Call a tool.

        Raises:
            NotFoundError: there is no such tool.
        """
        try:
            if name == OUTCOME:
                return await self._outcome(arguments)
            if name == CANCEL:
                return await self._cancel(arguments)
            kind = await self._kind(name)
            return _answered(await self._ask("call", kind=kind, payload=arguments, **self._given(meta)))
        except LictorError as error:
            if isinstance(error, NotFoundError) and name not in {OUTCOME, CANCEL}:
                raise
            return _failed(error)

    async def _kind(self, name: str) -> str:
        if self._kinds is None or name not in self._kinds:
            await self.tools()
        kinds = self._kinds or {}
        if name not in kinds:
            there = ", ".join([*kinds, OUTCOME, CANCEL])
            raise NotFoundError(f"there is no tool {name!r:.80}", hint=f"there are: {there}")
        return kinds[name]

    def _given(self, meta: Mapping[str, Any]) -> dict[str, Any]:
        caller = self._caller
        run, step, key = (_text(meta, name) for name in (RUN, STEP, KEY))
        given = {
            "source": caller.source,
            "tenant": caller.tenant,
            "run": run or caller.run,
            "step": step,
            "key": key,
            "wait_s": _wait_s(meta.get(WAIT_S, caller.answer_within_s)),
        }
        return {name: value for name, value in given.items() if value is not None}

    async def _outcome(self, arguments: dict[str, Any]) -> Answered:
        given = _read(arguments, _Outcome)
        return _answered(await self._followed(given.decision, wait_s=_wait_s(given.wait_s)))

    async def _cancel(self, arguments: dict[str, Any]) -> Answered:
        given = _read(arguments, _Cancel)
        found = await self._followed(given.decision)  # of this caller's own, or it is not found
        if found["status"] not in {"held", "unfinished"}:
            return _answered(found)
        by = self._caller.source or "caller"
        told = await self._ask("cancel", what=given.decision, by=by, reason=given.reason)
        if told["cancelled"] or found["status"] == "held":
            return _answered(await self._followed(given.decision, wait_s=1.0))
        data = {"status": "unfinished", "decision": given.decision, "asked": True}
        return Answered(data, ("It has started and was asked to stop; lictor_outcome tells what came of that.",))

    async def _followed(self, decision: str, wait_s: float = 0.0) -> dict[str, Any]:
        found: dict[str, Any] = await self._ask("outcome", what=decision, wait_s=wait_s, **self._own())
        return found

    def _own(self) -> dict[str, str]:
        """Only what the caller itself has decided."""
        return {} if self._caller.source is None else {"source": self._caller.source}


class _Outcome(msgspec.Struct, forbid_unknown_fields=True):
    decision: str
    wait_s: float = 0.0


class _Cancel(msgspec.Struct, forbid_unknown_fields=True):
    decision: str
    reason: str = ""


Own = TypeVar("Own", _Outcome, _Cancel)


def _read(arguments: dict[str, Any], type_: type[Own]) -> Own:
    try:
        return msgspec.convert(arguments, type_)
    except msgspec.ValidationError as error:
        raise MalformedError(f"the arguments do not fit: {error}") from None


def _text(meta: Mapping[str, Any], name: str) -> str | None:
    value = meta.get(name)
    if value is None or (isinstance(value, str) and value):
        return value
    raise MalformedError(f"_meta {name} is text, not {value!r:.40}")


def _wait_s(value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= WAIT_S_MAX:
        raise MalformedError(f"to wait {value!r:.40} s makes no sense", hint=f"0 to {WAIT_S_MAX:g}")
    return float(value)


def _answered(told: dict[str, Any]) -> Answered:
    status, refusal, outcome = told["status"], told["refusal"], told["outcome"]
    data = {"status": status, "decision": told["id"], "duplicate": told["duplicate"]}
    again: tuple[str, ...] = ()
    if told["duplicate"] and status == "succeeded":
        again = (f"The same call was made before (decision {told['id']}) and was not done again; this is its result.",)
    if refusal is None:
        value = None if outcome is None else outcome["value"]
        text = value if isinstance(value, str) else msgspec.json.encode(value).decode()
        data |= {"result": value, "verdict": told["verdict"], "outcome": outcome}
        return Answered(data, (text, *again))
    text = refusal.pop("text")
    data |= {name: refusal[name] for name in ("code", "why", "allowed", "next", "retry_after_s") if name in refusal}
    data |= {"verdict": told["verdict"], "outcome": outcome}
    if status in {"held", "unfinished"}:
        follow = f"Its outcome: {OUTCOME} with decision {told['id']}."
        return Answered(data, (text, follow))
    return Answered(data, (text,), is_error=True)


def _failed(error: LictorError) -> Answered:
    """What could not be asked: whether it was done is not known where the node went away."""
    status = "unfinished" if isinstance(error, NodeStoppedError) or error.code == "NODE_STOPPED" else "refused"
    data = {"status": status, "code": error.code, "why": error.message}
    said = f"{status} ({error.code}): {error.message}."
    if error.hint:
        data["next"] = error.hint
        said += f" {error.hint[0].upper()}{error.hint[1:]}."
    return Answered(data, (said,), is_error=True)
