"""All that an App declares, as the stages read it."""

from __future__ import annotations

import hashlib
import json
from typing import Any

from lictor.errors import DeclarationError

from .budgets import Balance, Rate
from .effectors import Effector, PlanFunction
from .feedback import LessonSpec
from .gates import Adjustable, Gate, Lookup, Reference
from .governed import Governed, Governing
from .kinds import Kind
from .sources import Source


class Declared(Governing):
    """A named set of declarations; `App` is the one that users fill."""

    def __init__(self, name: str, *, version: str = "1") -> None:
        self.name = name
        self.version = version
        self.kinds: dict[str, Kind] = {}
        self.kind_of: dict[type, Kind] = {}
        self.sources: dict[str, Source] = {}
        #: What a node submits all of by itself: files, schedules; see `lictor.inputs.pulling.PullSource`.
        self.pulls: list[Any] = []
        #: Weights of tenants; 1 for one that is not declared.
        self.tenants: dict[str, float] = {}
        self.gates: dict[str, list[Gate]] = {}
        self.balances: dict[str, Balance] = {}
        self.rates: dict[str, Rate] = {}
        self.references: dict[str, Reference[Any]] = {}
        self.lookups: dict[str, Lookup[Any]] = {}
        self.adjustables: dict[str, Adjustable] = {}
        self.effectors: dict[str, Effector[..., Any]] = {}
        self.plans: dict[str, PlanFunction] = {}
        self.lessons: list[LessonSpec] = []
        #: Functions that `App.govern` has made kinds of, by the name of the kind.
        self.governed: dict[str, Governed[..., Any]] = {}

    def check(self) -> None:
        """Raise what can only be seen when everything is declared.

        Raises:
            DeclarationError: a kind has no plan, so an admitted decision could not act; or no worker process would
                find an effector's function.
        """
        for name in self.kinds:
            if name not in self.plans:
                raise DeclarationError(f"kind {name} has no plan", hint=f"@app.plan({name})")
        for effector in self.effectors.values():
            effector.check()

    def manifest(self) -> dict[str, Any]:
        """What is declared, as plain data for the journal; the policy version is its digest."""
        return {
            "kinds": {k.name: k.version for k in self.kinds.values()},
            "control": sorted(k.name for k in self.kinds.values() if k.control),
            "gates": {
                name: [[g.name, g.family, g.version, g.shadow] for g in gates] for name, gates in self.gates.items()
            },
            "effectors": {e.name: e.idempotent for e in self.effectors.values()},
            "balances": {name: self.balances[name].declared_limit() for name in sorted(self.balances)},
            "rates": sorted(self.rates),
        }

    def policy_version(self) -> str:
        """The App's declared version and the digest of all gates' versions."""
        text = json.dumps([self.version, self.manifest()["gates"]], sort_keys=True)
        return f"{self.version}-{hashlib.sha256(text.encode()).hexdigest()[:12]}"
