"""What all adapters share: a call with arguments as JSON, in a run, and what the model is told of it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from lictor import Bound, DeclarationError, Held, MalformedError, NotDone, Refusal, Run

#: Where the run of a call comes from: one run, a function of the framework's own context, or the code's `Run`.
RunOf = Run | Callable[[Any], Run] | None
#: What the result of a call is, or why there is none.
Answer = Literal["done", "not_done", "held"]


@dataclass(frozen=True, slots=True)
class Told:
    """What the model is told."""

    answer: Answer
    text: str
    value: Any = None
    refusal: Refusal | None = None


async def told(bound: Bound[..., Any], arguments: str, run: RunOf, context: Any) -> Told:
    """Call a governed function as a model has asked for it. The id of the tool call identifies nothing and is unused.

    Raises:
        DeclarationError: the call belongs to no run, so that a retry could not be told from a new one.
    """
    belongs = run(context) if callable(run) else run or Run.current()
    if belongs is None:
        raise DeclarationError(
            f"{bound.__name__}: the call belongs to no run, so that a retry could not be told from a new one",
            hint='run the agent inside `with Run("..."):`, or give run= to the tool',
        )
    try:
        value = await bound.of(bound.read(arguments), run=belongs)
    except Held as held:
        return Told("held", held.refusal.text(), refusal=held.refusal)
    except NotDone as refused:
        return Told("not_done", refused.refusal.text(), refusal=refused.refusal)
    except MalformedError as error:
        return Told("not_done", f"refused (MALFORMED): {error.message}. Correct the arguments and call again.")
    return Told("done", value if isinstance(value, str) else json.dumps(_plain(value)), value)


def _plain(value: Any) -> Any:
    dump = getattr(value, "model_dump", None)
    if dump is not None:
        return dump(mode="json")
    import msgspec

    return msgspec.to_builtins(value, builtin_types=())
