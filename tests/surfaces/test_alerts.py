"""Alerts: told once when something begins and once when it is over, in virtual time; and sent over a real socket."""

import asyncio
import json

import pytest
from standardwebhooks import Webhook
from tests.outbound.site import Site
from tests.rig import Payout, payouts, simulate
from tests.surfaces.outside import SECRET, notes, reaching

from lictor import DeclarationError, env, report
from lictor.monitoring.quality_alert import Evidence
from lictor.surfaces.alerts import Watch

HOUR_S = 3_600.0


def watched(rig, app, **options) -> tuple[Watch, list[tuple[str, str, str]]]:
    """A watch over a node that logs alone, and what it has told so far."""
    alert = app.alert(**options)
    watch = Watch(rig.node, alert)
    told = []

    def note(event, /, **fields):
        if event.startswith("alert_"):
            told.append((event.removeprefix("alert_"), fields["rule"], fields["subject"]))

    rig.node.pipeline.monitoring.note = note
    return watch, told


def test_a_halt_is_told_once_and_so_is_its_end():
    async def main(rig):
        app = payouts(rig.world)
        await rig.start(app)
        watch, told = watched(rig, app)
        watch.step()
        assert told == []
        await rig.on(rig.node.halt("kind:Payout", by="ana", reason="strange"))
        for _ in range(5):
            watch.step()
        assert told == [("raised", "halted", "kind:Payout")]
        await rig.on(rig.node.resume("kind:Payout", by="ana"))
        for _ in range(5):
            watch.step()
        assert told[1:] == [("resolved", "halted", "kind:Payout")]

    simulate(main)


def test_an_action_that_is_in_doubt_too_long_is_told_until_it_is_resolved():
    async def main(rig):
        app = payouts(rig.world, asks=False)
        rig.world.says("a", "lost")
        await rig.start(app)
        watch, told = watched(rig, app, in_doubt_s=30)
        handle = await rig.submit(Payout("a"))
        await rig.settle(11)
        for _ in range(29):
            watch.step()
            await rig.settle(1)
        assert told == []
        await rig.settle(2)
        watch.step()
        ((event, rule, subject),) = told
        assert (event, rule) == ("raised", "in_doubt")
        await rig.on(rig.node.resolve(handle.id, report("r", final=True, result="succeeded"), by="ana"))
        watch.step()
        assert told[1:] == [("resolved", "in_doubt", subject)]

    simulate(main)


def test_so_many_are_told_in_an_hour_and_the_next_says_how_many_were_not():
    async def main(rig):
        app = payouts(rig.world)
        await rig.start(app)
        watch, told = watched(rig, app, per_hour=2, url="https://a.example/", secret=env("ALERT_SECRET"))
        for name in "abcde":
            await rig.on(rig.node.halt(f"tenant:{name}", by="ana"))
        watch.step()
        assert [event for event, *_ in told] == ["raised", "raised"]
        for name in "abcde":
            await rig.on(rig.node.resume(f"tenant:{name}", by="ana"))
        watch.step()
        assert [event for event, *_ in told[2:]] == ["resolved", "resolved"]  # of what was told alone
        await rig.settle(HOUR_S + 1)
        await rig.on(rig.node.halt("tenant:f", by="ana"))
        watch.step()
        assert told[4:] == [("raised", "halted", "tenant:f")]
        assert [data.get("kept_back") for *_, data in watch._waiting] == [0, 0, None, None, 3]

    simulate(main)


def test_every_other_rule():
    async def main(rig):
        app = payouts(rig.world)
        cash = app.balance("cash", limit=100)
        node = await rig.start(app)
        watch, told = watched(rig, app)
        evidence = Evidence(2.0, 0.4, 0.5, 1.0, "late")
        troubles = node.vitals.troubles
        from lictor.journal.balance import Balance
        from lictor.records import Adjustment

        balances, moved = node.journal.state.balances, node.journal.state.adjustments
        quality = node.pipeline.monitoring.counts.quality.alert
        free = [None]
        node.journal.free_bytes = lambda: free[0]
        demoted = Adjustment(name="demoted", subject="feed", value=1.0, was=0.0, at_us=1, lesson="quality")
        begins = {
            "quality_falls": lambda: setattr(quality, "raised", evidence),
            "overrun": lambda: balances.__setitem__((cash.name, "all"), _latched(Balance(100, None))),
            "source_demoted": lambda: node.vitals.adjustments.__setitem__(("demoted", "feed"), demoted),
            "journal_full": lambda: free.__setitem__(0, node.settings.free_bytes_min),
            "callback_failing": lambda: troubles.__setitem__("callback:feed", ("CALLBACK_FAILING", "not taken")),
        }
        ends = {
            "quality_falls": lambda: setattr(quality, "raised", None),
            "overrun": lambda: balances.__delitem__((cash.name, "all")),
            "source_demoted": lambda: node.vitals.adjustments.__delitem__(("demoted", "feed")),
            "journal_full": lambda: free.__setitem__(0, 1 << 40),
            "callback_failing": troubles.clear,
        }
        assert moved is not None
        for rule, begin in begins.items():
            begin()
            watch.step()
            assert told[-1][:2] == ("raised", rule)
            ends[rule]()
            watch.step()
            assert told[-1][:2] == ("resolved", rule)
        assert len(told) == 2 * len(begins)

    simulate(main)


def _latched(balance):
    balance.latched = True
    return balance


def test_only_the_declared_rules_are_told():
    async def main(rig):
        app = payouts(rig.world)
        await rig.start(app)
        watch, told = watched(rig, app, rules=("overrun",))
        await rig.on(rig.node.halt("all", by="ana"))
        watch.step()
        assert told == []

    simulate(main)


def test_alerts_are_sent_signed_redacted_and_again_until_they_are_taken(monkeypatch):
    monkeypatch.setenv("ALERT_SECRET", SECRET)

    async def main():
        async with Site() as site:
            site.says("/alerts", 500)
            site.says("/alerts", 200)
            app = notes()
            app.alert(url=f"{site.url}/alerts", secret=env("ALERT_SECRET"), allow=(f"127.0.0.1:{site.port}",))
            async with reaching(app) as node:
                await node.halt("all", by="ana", reason="password=hunter2")
                await site.arrived(2)
                await node.resume("all", by="ana")
                await site.arrived(3)
            first, again, over = (Webhook(SECRET).verify(came.body, came.headers) for came in site.came)
            assert first == again
            assert site.came[0].headers["webhook-id"] == site.came[1].headers["webhook-id"]
            assert (first["type"], over["type"]) == ("alert.raised", "alert.resolved")
            assert (first["data"]["rule"], first["data"]["subject"]) == ("halted", "all")
            assert over["data"]["since_us"] == first["data"]["since_us"] < over["data"]["at_us"]
            assert "hunter2" not in json.dumps(first)

    asyncio.run(main())


@pytest.mark.parametrize("options", [{"rules": ("odd",)}, {"url": "ftp://a"}, {"url": "https://a.example"},
                                     {"per_hour": 0}, {"url": "https://a.example", "secret": "whsec_x"}])  # fmt: skip
def test_what_is_no_alert_is_refused_while_the_app_is_built(options):
    with pytest.raises(DeclarationError):
        notes().alert(**options)
