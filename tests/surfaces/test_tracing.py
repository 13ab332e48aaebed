"""Traces, as the SDK's own exporter receives them, built from what nodes on a simulated machine have done."""

import asyncio
import subprocess
import sys

import pytest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode
from tests.rig import Payout, payouts, simulate
from tests.surfaces.http.served import served

from lictor import DeclarationError, Settings, all_of, deny, report
from lictor.records import Signal
from lictor.runtime.ids import id_number, id_text
from lictor.surfaces.tracing import WAITING_MAX, Traces, incoming, trace_id

PARENT = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


class Traced:
    """A node of a rig, with its traces and what was exported of them."""

    def __init__(self, node):
        self.exported = InMemorySpanExporter()
        provider = TracerProvider(resource=Resource({}))
        provider.add_span_processor(SimpleSpanProcessor(self.exported))
        self.traces = Traces(node, provider)

    async def __aenter__(self):
        self.traces.start()
        return self

    async def __aexit__(self, *_):
        await self.traces.stop()

    def spans(self, name: str | None = None) -> list:
        return [span for span in self.exported.get_finished_spans() if name in (None, span.name)]

    def one(self, name: str):
        (found,) = self.spans(name)
        return found


def traced(main, app=None, share=1.0, **options):
    """What `main(rig, traced)` finds; then all that was exported."""

    async def run(rig):
        await rig.start(app(rig) if app is not None else payouts(rig.world, **options), trace=share)
        tracing = Traced(rig.node)

        async def on_node():
            async with tracing:
                await main(rig, tracing)

        await rig.on(on_node())

    simulate(run)


async def ended(rig, value=None, **options):
    handle = await rig.node.submit(value or Payout("a"), **options)
    await handle.outcome()
    rig.node.pipeline.observe()
    await asyncio.sleep(0.001)
    return handle


def test_a_decision_is_one_trace_whose_spans_follow_one_another():
    async def main(rig, found):
        handle = await ended(rig, source="agent", key="k1")
        assert [span.name for span in found.spans()] == [
            "validation",
            "queue",
            "attempt of transfer",
            "outcome",
            "decision Payout",
        ]
        root = found.one("decision Payout")
        assert {f"{span.context.trace_id:032x}" for span in found.spans()} == {trace_id("payouts", handle.id)}
        assert all(span.parent.span_id == root.context.span_id for span in found.spans() if span is not root)
        said = {name.removeprefix("lictor."): value for name, value in root.attributes.items()}
        assert (said["decision"], said["kind"], said["source"], said["tenant"], said["key"], said["result"]) == (
            id_text(handle.id),
            "Payout",
            "agent",
            "default",
            "k1",
            "succeeded",
        )
        assert (root.start_time, root.status.status_code) == (handle.decision.received_us * 1000, StatusCode.UNSET)
        for span in found.spans():
            assert root.start_time <= span.start_time <= span.end_time <= root.end_time
        (ruling,) = found.one("validation").events
        assert (ruling.name, ruling.attributes["lictor.gate"]) == ("ruling", "open_to_all")

    traced(main)


def test_a_refusal_is_a_trace_too():
    def strict(rig):
        app = payouts(rig.world)

        @app.gate(Payout)
        def never(payout, state):
            return deny("NEVER", password="hunter2", amount=payout.amount)

        return app

    async def main(rig, found):
        await ended(rig)
        root, validation = found.one("decision Payout"), found.one("validation")
        assert (root.status.status_code, root.status.description) == (StatusCode.ERROR, "NEVER")
        told = [event.attributes for event in validation.events if event.attributes["lictor.result"] == "deny"]
        assert told[0]["lictor.seen"] == '{"password":"[redacted]","amount":1}'

    traced(main, strict)


def test_attempts_and_what_was_in_doubt_between_them_are_spans():
    async def main(rig, found):
        rig.world.says("a", "retry", "done_and_raise")
        await ended(rig)
        first, second = found.spans("attempt of transfer")
        assert (first.attributes["lictor.event"], second.attributes["lictor.event"]) == ("back_off", "doubt")
        assert (first.attributes["lictor.attempt"], second.attributes["lictor.attempt"]) == (1, 2)
        assert first.status.status_code is second.status.status_code is StatusCode.ERROR
        asked = found.one("reconcile transfer")
        assert (asked.attributes["lictor.event"], asked.attributes["lictor.state"]) == ("succeed", "doubt")
        assert asked.start_time >= second.end_time

    traced(main, extra_work=1.0)


def test_a_pending_action_and_who_said_what_became_of_it():
    async def main(rig, found):
        rig.world.says("a", "pending")
        handle = await rig.node.submit(Payout("a"))
        await asyncio.sleep(0.01)
        await rig.node.resolve(f"ref-{id_text(handle.id)}.0", report("r1", final=True, result="succeeded"))
        await handle.outcome()
        rig.node.pipeline.observe()
        await asyncio.sleep(0.001)
        asked = found.one("reconcile transfer")
        assert (asked.attributes["lictor.state"], asked.attributes["lictor.report"]) == ("pend", "r1")

    traced(main, asks=False)


def test_a_fan_out_has_a_span_for_each_action_and_children_link_to_their_parent():
    children = []

    def fanning(rig):
        return payouts(
            rig.world, plan=lambda transfer, p: all_of(*(transfer.action(f"{p.account}{n}", n) for n in (1, 2)))
        )

    async def main(rig, found):
        async def parenting(call):
            child = await rig.node.submit(Payout("child"), parent=call.decision)
            await child.outcome()
            children.append(child.id)
            return "done"

        rig.world.says("a1", parenting)
        parent = await ended(rig)
        roots = {span.attributes["lictor.decision"]: span for span in found.spans("decision Payout")}
        assert len(found.spans("attempt of transfer")) == 4
        (link,) = roots[id_text(children[0])].links
        assert f"{link.context.trace_id:032x}" == trace_id("payouts", parent.id)
        assert link.attributes["lictor.link"] == "parent"
        assert roots[id_text(parent.id)].links == ()

    traced(main, fanning)


def test_the_trace_of_whoever_submitted_is_kept_and_linked():
    async def main(rig, found):
        handle = await rig.node.submit(Signal(source="s", kind="Payout", value=Payout("a"), trace=PARENT))
        await handle.outcome()
        rig.node.pipeline.observe()
        await asyncio.sleep(0.001)
        assert handle.decision.trace == PARENT
        (link,) = found.one("decision Payout").links
        assert (f"{link.context.trace_id:032x}", f"{link.context.span_id:016x}") == (
            "4bf92f3577b34da6a3ce929d0e0e4736",
            "00f067aa0ba902b7",
        )
        for odd in ("", "00-0-0-0", f"ff{PARENT[2:]}", PARENT.replace("4", "x"), f"00-{'0' * 32}-{'0' * 16}-01"):
            assert incoming(odd) is None

    traced(main)


def test_a_submit_over_http_keeps_the_trace_that_it_comes_with():
    async def main():
        async with served() as http:
            for given, kept in ((PARENT, PARENT), ("x" * 300, None)):
                body = {"kind": "Payout", "payload": {"account": "a-17", "amount": 5}}
                made = await http.post("/v1/decisions", json=body, headers={"traceparent": given})
                row, *_ = await http.node.journal.history(id_number(made.json()["id"]))
                assert row.verb.decision.trace == kept

    asyncio.run(main())


def test_what_is_in_the_sample_follows_from_the_id_alone():
    async def main(rig, found):
        ids = [(await ended(rig, Payout(f"a{number}"))).id for number in range(60)]
        sampled = {id_text(id_) for id_ in ids if found.traces.sampled(id_)}
        assert {span.attributes["lictor.decision"] for span in found.spans("decision Payout")} == sampled
        assert 3 <= len(sampled) <= 35

    traced(main, share=0.3)


def test_without_a_sample_nothing_is_watched():
    async def main(rig, found):
        await ended(rig)
        assert (rig.node.pipeline.monitoring.heard, found.spans(), found.traces._task) == ([], [], None)

    traced(main, share=0.0)


def test_what_cannot_be_built_in_time_is_dropped_and_counted():
    async def main(rig, found):
        for number in range(1, WAITING_MAX + 8):
            found.traces._ended(number)
        assert rig.node.pipeline.monitoring.counts.outside["trace", "decisions", "dropped"] == 7
        found.traces._waiting.clear()

    traced(main)


def test_an_exporter_that_raises_costs_its_trace_and_nothing_else():
    async def main(rig, found):
        found.traces._tracer = None
        assert (await ended(rig)).done
        assert rig.node.pipeline.monitoring.counts.outside["trace", "decisions", "failed"] == 1

    traced(main)


def test_secrets_are_in_no_span():
    async def main(rig, found):
        rig.world.says("a", ValueError("token=canary-1"))
        handle = await rig.node.submit(Payout("a"), key="api_key=canary-2", source="s")
        await asyncio.sleep(1)
        await rig.node.resolve(handle.id, report("r", final=True, result="failed", code="X"), by="ana")
        await handle.outcome()
        rig.node.pipeline.observe()
        await asyncio.sleep(0.001)
        told = "".join(span.to_json() for span in found.spans())
        assert "attempt of transfer" in told
        assert "canary" not in told

    traced(main, asks=False)


def test_a_share_is_a_share():
    with pytest.raises(DeclarationError):
        Settings(trace=1.5)


def test_lictor_needs_no_telemetry_to_be_imported():
    code = (
        "import sys, lictor, lictor.surfaces.outreach; sys.exit(any('opentelemetry' in name for name in sys.modules))"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
