"""From drafts to a plan: ordinals, edges, results as inputs, plain arguments.

Runs once, before the commit; nothing is re-planned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from lictor.declarations.declared import Declared
from lictor.declarations.effectors import Draft, Effector, PlanDraft, ResultOf
from lictor.declarations.models import taken
from lictor.declarations.plain import plain
from lictor.errors import DeclarationError
from lictor.records import Action, Plan

ACTIONS_MAX = 10_000


class Planner:
    """Runs the plan functions of one App."""

    def __init__(self, app: Declared) -> None:
        self._app = app

    def plan(self, kind: str, value: Any) -> Plan:
        """The plan of one decision.

        Raises:
            DeclarationError: what the function returned is no plan; other exceptions are the function's own.
        """
        made = self._app.plans[kind](value)
        if isinstance(made, Draft) and not made.needs:
            return Plan((self._action(made, (), {}),))
        draft = made if isinstance(made, PlanDraft) else PlanDraft((made,) if isinstance(made, Draft) else tuple(made))
        return self._planned(draft)

    def _planned(self, plan: PlanDraft) -> Plan:
        drafts = plan.drafts
        if not 0 < len(drafts) <= ACTIONS_MAX:
            raise DeclarationError(f"a plan has 1 to {ACTIONS_MAX} actions, not {len(drafts)}")
        ordinals = {id(draft): ordinal for ordinal, draft in enumerate(drafts)}
        actions = []
        for ordinal, draft in enumerate(drafts):
            if not isinstance(draft, Draft):
                raise DeclarationError(f"a plan is made of effector.action(...), not {type(draft).__name__}")
            inputs = self._inputs(draft)
            needs = [*draft.needs, *inputs.values()]
            after = tuple(sorted({self._earlier(ordinals, need, ordinal) for need in needs}))
            places = {place: ordinals[id(need)] for place, need in inputs.items()}
            actions.append(self._action(draft, after, places))
            if plan.rule == "all_or_compensate" and self._app.effectors[draft.effector].undoes is None:
                raise DeclarationError(
                    f"{draft.effector} cannot be compensated", hint=f"declare @{draft.effector}.compensate"
                )
        return Plan(tuple(actions), plan.rule, plan.quorum)

    @staticmethod
    def _earlier(ordinals: dict[int, int], need: Draft[Any], ordinal: int) -> int:
        found = ordinals.get(id(need))
        if found is None or found >= ordinal:
            raise DeclarationError("an action may only need actions that stand before it in the same plan")
        return found

    @staticmethod
    def _inputs(draft: Draft[Any]) -> dict[str, Draft[Any]]:
        named = [(str(place), arg) for place, arg in enumerate(draft.args)] + list(draft.kwargs.items())
        return {place: arg.draft for place, arg in named if isinstance(arg, ResultOf)}

    def _action(self, draft: Draft[Any], after: tuple[int, ...], inputs: dict[str, int]) -> Action:
        if draft.effector not in self._app.effectors:
            raise DeclarationError(f"no effector {draft.effector!r} is declared")
        args = tuple([None if isinstance(a, ResultOf) else plain(a) for a in draft.args])
        kwargs = (
            plain({k: None if isinstance(a, ResultOf) else plain(a) for k, a in draft.kwargs.items()})
            if draft.kwargs
            else {}
        )
        return Action(draft.effector, args, kwargs, after, inputs)


def arguments(
    action: Action, effector: Effector[..., Any], result: Callable[[int], Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """An action's arguments as its effector declares them, with the results of earlier actions in their places.

    Raises:
        msgspec.ValidationError: one does not fit the type of its parameter.
    """
    if not action.inputs and not effector.rich:
        return action.args, action.kwargs
    args, kwargs = list(action.args), dict(action.kwargs)
    for place, ordinal in action.inputs.items():
        if place.isdigit():
            args[int(place)] = result(ordinal)
        else:
            kwargs[place] = result(ordinal)
    return as_declared(args, kwargs, effector.rich)


def as_declared(
    args: Sequence[Any], kwargs: dict[str, Any], rich: dict[int | str, Any]
) -> tuple[tuple[Any, ...], dict[str, Any]]:
    """Stored arguments as their parameters are declared, by the types of those that are no plain data.

    Raises:
        msgspec.ValidationError: one does not fit the type of its parameter.
    """
    if rich:
        args = [_as(arg, rich.get(place)) for place, arg in enumerate(args)]
        kwargs = {name: _as(arg, rich.get(name)) for name, arg in kwargs.items()}
    return tuple(args), kwargs


def _as(value: Any, type_: Any) -> Any:
    return value if type_ is None else msgspec.convert(value, type_, builtin_types=(bytes,), dec_hook=taken)
