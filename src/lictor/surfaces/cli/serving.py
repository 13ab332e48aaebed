"""Serves a node in the foreground: says what it serves, waits for a signal or the node's end, drains, stops."""

from __future__ import annotations

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from lictor.app import App
from lictor.config import Settings
from lictor.errors import DeclarationError
from lictor.node import Node
from lictor.surfaces.control import Control, socket_of
from lictor.surfaces.outreach import Outreach

from .output import Exit, console, lines

#: How often the node is asked whether it still runs.
LOOK_S = 0.2


@dataclass(frozen=True, slots=True)
class Front:
    """Where HTTP is served, and how."""

    host: str
    port: int
    cert: Path | None = None
    key: Path | None = None
    behind_proxy: str | None = None
    #: Names beside those of the certificate under which it is reached.
    hosts: tuple[str, ...] = ()

    @classmethod
    def of(
        cls,
        address: str | None,
        cert: Path | None,
        key: Path | None,
        behind_proxy: str | None,
        hosts: tuple[str, ...] = (),
    ) -> Self | None:
        """What the flags say; None where HTTP is not to be served.

        Raises:
            DeclarationError: it may not be served there, or the flags do not go together.
        """
        if address is None:
            if cert or key or behind_proxy or hosts:
                raise DeclarationError("nothing is served by HTTP", hint="say where: --http 127.0.0.1:8700")
            return None
        from lictor.surfaces.http.server import address_of, check_bind

        if key is not None and cert is None:
            raise DeclarationError("--tls-key without --tls-cert", hint="give both")
        host, port = address_of(address)
        check_bind(host, tls=cert is not None, behind_proxy=behind_proxy)
        return cls(host, port, cert, key, behind_proxy, hosts)


def serve(app: App, journal: Path, settings: Settings, front: Front | None = None, *, as_json: bool) -> int:
    """Run a node until it is told to stop; 0 when it stopped as told."""
    with asyncio.Runner(loop_factory=_loop_factory()) as runner:
        return runner.run(_serve(app, journal, settings, front, as_json=as_json))


@asynccontextmanager
async def _served(node: Node, front: Front | None) -> AsyncIterator[str | None]:
    """The address at which HTTP is served meanwhile; None where it is not."""
    if front is None:
        yield None
        return
    from lictor.surfaces.http.server import HttpServer

    server = HttpServer(
        node, front.host, front.port, cert=front.cert, key=front.key, behind_proxy=front.behind_proxy, hosts=front.hosts
    )
    async with server:
        yield server.url


async def _serve(app: App, journal: Path, settings: Settings, front: Front | None, *, as_json: bool) -> int:
    node = Node(app, str(journal), settings=settings)
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, told.set)
    async with node:
        async with Outreach(node), _served(node, front) as url, Control(node, socket_of(journal)) as control:
            _announce(node, journal, control.path, url, as_json=as_json)
            await _until(told, node)
            for number in (signal.SIGINT, signal.SIGTERM):
                loop.remove_signal_handler(number)  # the second one ends the process at once
            running = node.pipeline.execution.running()
            _note("draining", {"running": running}, as_json=as_json)
            if url is not None and node.failure is None:
                await node.drain()  # who waits for an outcome is told it, who submits that it is too late
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


def _announce(node: Node, journal: Path, path: Path, url: str | None, *, as_json: bool) -> None:
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
        facts |= {} if url is None else {"http": url}
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
    if url is not None:
        out.print(f"  http      {url}", markup=False)
        if not state.grants:
            first = f"lictor keys make NAME --roles admin --journal {journal}"
            out.print(f"  no key has been made, so nobody gets in yet: {first}", style="yellow", markup=False)
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
