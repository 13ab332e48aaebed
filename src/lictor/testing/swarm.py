"""What people and programs do to the simulated App: submit, repeat, approve, cancel, halt, resume, set limits, resolve.

All of it is drawn from the seed's `workload` stream; the features that the seed lacks are never used in it.
"""

from __future__ import annotations

import asyncio
from typing import Any

import msgspec

from lictor.app import App
from lictor.config import Settings
from lictor.entry import Handle
from lictor.errors import DeniedError, LictorError, NodeStoppedError, NotFoundError
from lictor.records import Grant, Signal
from lictor.testing.loop import SimLoop
from lictor.testing.machine import Crashed
from lictor.testing.simulation import Simulation
from lictor.testing.workload import CLASSES, Features, Job, Pay, Stop, Trade, Wire, build
from lictor.testing.world import World

#: Virtual seconds between two looks of a person at the node.
LOOK_S = 4.0


class Swarm:
    """The campaign's own scenario."""

    def __init__(self, loop: SimLoop) -> None:
        self.random = loop.streams.of("workload")
        self.features = Features.drawn(loop.streams)
        small = "small node" in self.features
        self.settings = Settings(
            tune_collector=False,
            waiting_max=4 if small else 1_000,
            backlog_max=5 if small else 1_000,
            window_max=2 if "small window" in self.features else 1_000,
            turn_max=self.random.choice((1, 3, 1_000)),
        )
        self.signals = self.random.randint(4, 15)
        self.handles: list[Handle] = []
        self.known: list[tuple[Any, dict[str, Any]]] = []
        self.busy = True
        #: How far somebody outside was told.
        self.marked = 0
        self._apps: dict[int, App] = {}

    @property
    def drawn(self) -> dict[str, Any]:
        """What the seed has, for whoever replays it."""
        return {"features": sorted(self.features.on), "signals": self.signals, "settings": str(self.settings)}

    def app(self, world: World, incarnation: int) -> App:
        deploy = incarnation % 3 if "policy changes" in self.features else 0
        if deploy not in self._apps:
            self._apps[deploy] = build(world, self.features, deploy)
        return self._apps[deploy]

    def _chance(self, chance: float) -> bool:
        """One draw."""
        return self.random.random() < chance

    # -- while faults strike --------------------------------------------------------------------------------------

    async def people(self, sim: Simulation) -> None:
        for work in (self._approver(sim), self._resolver(sim), self._operator(sim)):
            sim.beside(work)
        sources = self.random.randint(1, 3)
        await asyncio.gather(*(self._source(sim, f"agent-{n}", self.signals // sources + 1) for n in range(sources)))
        await asyncio.sleep(self.random.uniform(0.0, 20.0))
        self.busy = False

    async def _source(self, sim: Simulation, name: str, count: int) -> None:
        gap_s = self.random.choice((0.0, 0.2, 2.0))
        for n in range(count):
            value, options = self._signal(name, n)
            burst = self.random.randint(2, 12) if "burst" in self.features and self._chance(0.25) else 1
            sends = [self._send(sim, value, self._renamed(options, b)) for b in range(burst)]
            if burst == 1 and self._chance(0.6):
                await sends[0]
            else:
                for send in sends:
                    sim.beside(send)
            if gap_s:
                await asyncio.sleep(self.random.expovariate(1 / gap_s))

    @staticmethod
    def _renamed(options: dict[str, Any], number: int) -> dict[str, Any]:
        if not number or options.get("key") is None:
            return options
        return {**options, "key": f"{options['key']}.{number}"}

    def _signal(self, source: str, number: int) -> tuple[Any, dict[str, Any]]:
        draw, has = self.random, self.features
        if self.known and self._chance(0.25):
            known, earlier_options = draw.choice(self.known)
            if "duplicates" in has and self._chance(0.6):
                return known, earlier_options
            if "reused keys" in has:
                return type(known)(known.account, known.amount + 1, note=number), earlier_options
        value = self._value(number)
        if "malformed" in has and self._chance(0.2):
            value = Signal(source=source, kind="Pay", tenant="a", key=f"m{number}", payload=b'{"account": 1}')
            return value, {"source": source, "tenant": "a", "key": value.key}
        options: dict[str, Any] = {"source": source, "tenant": draw.choice("abc") if "tenants" in has else "a"}
        if not ("unkeyed" in has and self._chance(0.3)):
            options["key"] = f"k{number}"
        if "classes" in has:
            options["priority"] = int(draw.choice(CLASSES))
        if "short deadlines" in has and self._chance(0.4):
            options["expires_in_s"] = draw.choice((0.001, 0.5, 3.0))
        if self.handles and self._chance(0.4):
            earlier = draw.choice(self.handles)
            if "children" in has and self._chance(0.7):
                options["parent"] = earlier.id
                if earlier.decision is not None:
                    options["tenant"] = earlier.decision.tenant
            elif "supersedes" in has:
                options["supersedes"] = earlier.id
        if options.get("key") is not None:
            self.known.append((value, options))
        return value, options

    def _value(self, number: int) -> Any:
        draw, has = self.random, self.features
        account, amount = f"acc-{draw.randint(1, 3)}", draw.randint(1, 450)
        kinds: list[str] = ["pay", "pay", "pay"]
        kinds += [
            kind
            for kind, feature in (
                ("wire", "holds"),
                ("wire", "holds"),
                ("job", "plans"),
                ("job", "plans"),
                ("trade", "orders"),
                ("trade", "orders"),
                ("stop", "control"),
            )
            if feature in has
        ]
        kind = draw.choice(kinds)
        if kind == "wire":
            return Wire(account, amount, draw.choice(("wire", "transfer")), number)
        if kind == "job":
            rule = draw.choice(("all", "quorum", "all_or_compensate"))
            return Job(account, amount, rule, draw.randint(1, 5), number)
        if kind == "trade":
            return Trade(account, amount, number)
        if kind == "stop":
            return Stop(account, 1 + number % 7, number)
        routes = ["transfer", "ship", "mail", "wire"] + (["book", "stamp"] if "sync" in has else [])
        return Pay(account, amount, draw.choice(routes), number)

    async def _send(self, sim: Simulation, value: Any, options: dict[str, Any]) -> None:
        """Submit; after a crash sometimes ask again, as a caller that got no answer does."""
        for _ in range(3):
            wanted = {} if isinstance(value, Signal) else dict(options)
            if "not before" in self.features and wanted and self._chance(0.2):
                wanted["not_before_us"] = sim.clock.wall_us() + self.random.randint(0, 5_000_000)
            try:
                handle = await sim.submit(value, **wanted)
            except (Crashed, NodeStoppedError):
                if "key" not in options or self._chance(0.3):
                    return
                continue
            if handle.id is not None:
                self.handles.append(handle)
                if self._chance(0.5):
                    await sim.outcome(handle)
            return

    # -- people ---------------------------------------------------------------------------------------------------

    async def _approver(self, sim: Simulation) -> None:
        while True:
            await asyncio.sleep(LOOK_S)
            held = [told for told in sim.invariants.ledger.open.values() if told.verdicts[-1].result == "held"]
            for told in held:
                if not sim.calm and self._chance(0.4):
                    continue
                by = self.random.choice((told.decision.source, "ann", "ben"))
                approved = sim.calm or self._chance(0.8)
                await self._try(sim, told.decision.id, by, approved=approved)
                if self._chance(0.3):
                    await self._try(sim, told.decision.id, self.random.choice(("ann", "ben")), approved=not approved)

    async def _try(self, sim: Simulation, decision: int, by: str, *, approved: bool) -> None:
        again_for_s = self.random.uniform(1.0, 60.0) if approved and self._chance(0.3) else None
        try:
            await sim.call(lambda node: node.approve(decision, by=by, approved=approved, again_for_s=again_for_s))
        except (NotFoundError, DeniedError, NodeStoppedError, Crashed):
            return
        sim.invariants.approved(decision, by)

    async def _resolver(self, sim: Simulation) -> None:
        while True:
            await asyncio.sleep(LOOK_S * 2)
            await sim.find_out(lambda: sim.calm or self._chance(0.5))

    async def _operator(self, sim: Simulation) -> None:
        """Somebody who halts and resumes, cancels, sets limits, makes keys, and tells outcomes to others."""
        acts = [self._halt] * ("halts" in self.features) + [self._cancel] * ("cancels" in self.features)
        acts += [self._limit, self._key, self._mark] * ("limits" in self.features)
        while acts and self.busy:
            await asyncio.sleep(self.random.expovariate(1 / 5.0))
            if self.busy:
                try:
                    await self.random.choice(acts)(sim)
                except (LictorError, Crashed):
                    continue

    async def _halt(self, sim: Simulation) -> None:
        scopes = ("all", "kind:Pay", "source:agent-0", "tenant:a", "effector:transfer", "effector:mail")
        scope, reduce_only = self.random.choice(scopes), self._chance(0.2)
        await sim.call(lambda node: node.halt(scope, by="ann", reduce_only=reduce_only))
        sim.invariants.halted(scope)
        await asyncio.sleep(self.random.uniform(0.0, 10.0))
        if self._chance(0.8):
            await sim.call(lambda node: node.resume(scope, by="ben"))

    async def _cancel(self, sim: Simulation) -> None:
        ledger = sim.invariants.ledger
        known = ledger.open if self._chance(0.7) else ledger.told  # some come too late
        if known:
            decision = self.random.choice(list(known))
            await sim.call(lambda node: node.cancel(decision, by="ann"))

    async def _limit(self, sim: Simulation) -> None:
        limit, scope = self.random.choice((200, 800, 1_500, 10**9)), self.random.choice("abc")
        reset = self._chance(0.5)
        await sim.call(lambda node: node.set_limit("cash", limit, scope=scope, by="ben", reset_latch=reset))

    async def _key(self, sim: Simulation) -> None:
        """Make a key for somebody, or revoke the one that is there: an approval does not outlive its giver's keys."""
        name = self.random.choice(("ann", "ben", "agent-0"))
        made = Grant(
            id=f"key-{name}",
            name=name,
            hash=bytes(32),
            roles=("approve",),
            sources=None,
            tenants=None,
            made_us=0,
            by="ann",
        )
        revoked = msgspec.structs.replace(made, revoked_us=1) if self._chance(0.2) else made
        await sim.call(lambda node: node.set_grants(revoked))

    async def _mark(self, sim: Simulation) -> None:
        self.marked += 1
        await sim.call(lambda node: node.mark("callback:agent-0", self.marked))
