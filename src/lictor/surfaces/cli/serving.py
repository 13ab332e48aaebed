"""Serves a node in the foreground: says what it serves, waits for a signal or the node's end, drains, stops."""

from __future__ import annotations

import asyncio
import signal
import sys
from pathlib import Path
from typing import Any

from lictor.app import App
from lictor.config import Settings
from lictor.node import Node
from lictor.surfaces.control import Control, socket_of

from .output import Exit, console, lines

#: How often the node is asked whether it still runs.
LOOK_S = 0.2


def serve(app: App, journal: Path, settings: Settings, *, as_json: bool) -> int:
    """Run a node until it is told to stop; 0 when it stopped as told."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(app, journal, settings, as_json=as_json))


async def _serve(app: App, journal: Path, settings: Settings, *, as_json: bool) -> int:
    node = Node(app, str(journal), settings=settings)
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    async with node:
        async with Control(node, socket_of(journal)) as control:
            _announce(node, journal, control.path, as_json=as_json)
            await _until(told, node)
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)  # the second one ends the process at once
            running = node.pipeline.execution.running()
            _note("draining", {"running": running}, as_json=as_json)
        failure = node.failure
    if failure is not None:
        _note("failed", {"error": str(failure)}, as_json=as_json)
        return Exit.JOURNAL
    _note("stopped", {"open": node.journal.state.open_count}, as_json=as_json)
    return Exit.DONE


async def _until(told: asyncio.Event, node: Node) -> None:
    """Wait until someone tells us to stop, or the node has failed."""
    while node.failure is None and not told.is_set():
        try:
            async with asyncio.timeout(LOOK_S):
                await told.wait()
        except TimeoutError:
            continue


def _announce(node: Node, journal: Path, path: Path, *, as_json: bool) -> None:
    """What is served, once it is."""
    app, state = node.app, node.journal.state
    held = sum(found.state == "held" for found in state.open.values())
    if as_json:
        facts: dict[str, Any] = {
            "app": app.name,
            "version": app.version,
            "policy": app.policy_version(),
            "journal": str(journal),
        }
        facts |= {"socket": str(path), "epoch": state.epoch, "open": state.open_count, "held": held}
        lines([{"event": "ready", **facts}])
        return
    out = console(error=True)
    out.print(f"{app.name} {app.version}, policy {app.policy_version()}", style="bold", markup=False)
    for name, kind in app.kinds.items():
        gates = ", ".join(gate.name + (" (shadow)" if gate.shadow else "") for gate in app.gates[name]) or "none"
        out.print(f"  kind      {name} version {kind.version}; gates: {gates}", markup=False)
    for effector in app.effectors.values():
        idempotent = "idempotent" if effector.idempotent else "not idempotent"
        out.print(f"  effector  {effector.name}: {effector.slots} slots, {idempotent}", markup=False)
    for balance in app.balances.values():
        window = f", each {balance.window_s:g} s" if balance.window_s else ""
        per = balance.per if isinstance(balance.per, str) else "a function"
        out.print(f"  balance   {balance.name} per {per}{window}", markup=False)
    out.print(f"  journal   {journal} ({node.journal.durability}), epoch {state.epoch}", markup=False)
    if state.open_count:
        out.print(f"  recovered {state.open_count} open decisions, {held} of them held", markup=False)
    for halt in state.halts.values():
        out.print(f"  {halt.mode:9} {halt.scope} by {halt.by}: {halt.reason}", style="yellow", markup=False)
    out.print(f"ready on {path}; Ctrl-C drains and stops", style="green", markup=False)
    sys.stderr.flush()


def _note(event: str, facts: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        lines([{"event": event, **facts}])
        return
    told = ", ".join(f"{name} {value}" for name, value in facts.items())
    console(error=True).print(f"{event}: {told}", markup=False)


def _loop_factory() -> Any:
    """The faster loop where there is one."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
