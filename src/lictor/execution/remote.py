"""A call that is made in a worker process: it goes there as data, and what came of it comes back as data.

The same module stands at both ends. `served` runs inside the worker, which imports the user's function by its name.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import msgspec

from lictor.declarations.effectors import Call, EffectFailed, Effector, Pending, rich_parameters
from lictor.declarations.plain import plain, storable, text, told, wait_s
from lictor.declarations.secret import hidden
from lictor.records import Amount
from lictor.runtime.worker import resolve

from .attempt import Raised, action_key
from .planning import as_declared

#: What serves a worker of an effector; its argument is the name of the function.
SERVES = f"{__name__}:served"


class Asked(msgspec.Struct, frozen=True, array_like=True):
    """What goes there."""

    decision: int
    ordinal: int
    attempt: int
    fence: int
    tenant: str
    source: str
    deadline_us: int
    args: tuple[Any, ...]
    kwargs: dict[str, Any]


class Said(msgspec.Struct, frozen=True, array_like=True):
    """What comes back: `how` is returned, pending, failed or raised."""

    how: str
    value: Any = None
    settled: tuple[tuple[str, str | None, Amount], ...] = ()
    code: str = ""
    retry: bool = False
    wait_s: float | None = None


_encode = msgspec.msgpack.Encoder(decimal_format="string").encode
_asked = msgspec.msgpack.Decoder(Asked).decode
_said = msgspec.msgpack.Decoder(Said).decode


def asked(call: Call, args: Any, kwargs: Any) -> bytes:
    """A call, as data."""
    context = (call.decision, call.ordinal, call.attempt, call.fence, call.tenant, call.source, call.deadline_us)
    return _encode(Asked(*context, tuple(plain(a) for a in args), {name: plain(a) for name, a in kwargs.items()}))


def returned(data: bytes, call: Call) -> Any:
    """What the function returned in the worker.

    Raises:
        EffectFailed: it raised that.
        Raised: it raised something else.
    """
    said = _said(data)
    call.settled.extend(said.settled)
    if said.how == "failed":
        raise EffectFailed(said.value, code=said.code, retry=said.retry, retry_after_s=said.wait_s)
    if said.how == "raised":
        raise Raised(said.value)
    return Pending(said.value, said.wait_s or 0.0) if said.how == "pending" else said.value


# -- inside the worker ------------------------------------------------------------------------------------------------


def served(name: str) -> Callable[[bytes], bytes]:
    """Answers calls of the function of this name: a plain function, or what `@app.effector` has made of it."""
    found = resolve(name)
    perform = found.perform if isinstance(found, Effector) else found
    rich = rich_parameters(perform)

    def serve(data: bytes) -> bytes:
        said = _perform(perform, rich, _asked(data))
        return _encode(said)

    return serve


def _perform(perform: Callable[..., Any], rich: dict[int | str, Any], a: Asked) -> Said:
    call = Call(a.decision, a.ordinal, a.attempt, a.fence, a.tenant, a.source, a.deadline_us, action_key)
    try:
        args, kwargs = as_declared(a.args, a.kwargs, rich)
        result = perform(call, *args, **kwargs)
    except EffectFailed as failed:
        wait = None if failed.retry_after_s is None else wait_s(failed.retry_after_s)
        return Said("failed", text(hidden(failed.message)), tuple(call.settled), text(failed.code), failed.retry, wait)
    except Exception as error:  # noqa: BLE001 - user code; its effect may or may not have begun
        return Said("raised", told(error), tuple(call.settled))
    if isinstance(result, Pending):
        return Said("pending", text(result.ref), tuple(call.settled), wait_s=wait_s(result.poll_after_s))
    return Said("returned", storable(result), tuple(call.settled))
