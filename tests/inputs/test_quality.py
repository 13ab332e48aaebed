import random

import pytest
from tests.inputs.payouts import Payout, payouts
from tests.inputs.simulated import node_on, simulate

from lictor import DeclarationError, Quality, Range, Signal
from lictor.inputs.finding import Reason
from lictor.inputs.quality import CONTENTS_MAX, RESTART_AFTER, STREAMS_MAX, SourceQuality
from lictor.journal.memory import MemoryDisk

NOW_US = 1_767_225_600_000_000


def reasons(gate: SourceQuality, *contents, **fields):
    """What is found in each of these, a second apart."""
    found = []
    for i, content in enumerate(contents):
        signal = Signal(source="feed", kind="Payout", payload=b"", **fields)
        now_us = NOW_US + i * 1_000_000
        finding = gate.judge(signal, content, now_us, now_us)
        found.append(finding.reason if finding else None)
    return found


def test_ranges_are_inclusive_open_where_undeclared_and_read_text_numbers():
    gate = SourceQuality(Quality(ranges={"amount": Range(1, 10), "price": Range(low=0.5)}))
    good = [{"amount": 1}, {"amount": 10}, {"amount": "10"}, {"amount": 5, "price": 9e99}, {"memo": "no number"}]
    bad = [{"amount": 0}, {"amount": 10.1}, {"amount": "11"}, {"price": 0.4}, {"amount": "NaN"}]
    assert reasons(gate, *good) == [None] * len(good)
    assert reasons(gate, *bad) == [Reason.RANGE] * len(bad)
    assert reasons(gate, Payout("a", 0)) == [Reason.RANGE], "a typed value is judged like text"


def test_freshness_needs_to_know_the_age():
    gate = SourceQuality(Quality(max_age_s=2, max_ahead_s=5))
    assert reasons(gate, {}, sent_us=NOW_US - 2_000_000) == [None]
    assert reasons(gate, {}, sent_us=NOW_US - 2_000_001) == [Reason.STALE]
    assert reasons(gate, {}) == [Reason.STALE]
    assert reasons(gate, {}, sent_us=NOW_US + 5_000_001) == [Reason.FUTURE]


def numbered(*numbers):
    return [{"number": number} for number in numbers]


def test_sequence_finds_gaps_repeats_and_steps_back():
    strict = SourceQuality(Quality(sequence="number", on_gap="quarantine"))
    assert reasons(strict, *numbered(7, 8, 10, 11, 11, 9, 12)) == [
        None,
        None,
        Reason.GAP,
        None,
        Reason.REPEAT,
        Reason.ORDER,
        None,
    ]
    assert strict.counts["missing"] == 1
    noting = SourceQuality(Quality(sequence="number"))
    assert reasons(noting, *numbered(1, 5)) == [None, None]
    assert (noting.counts[Reason.GAP], noting.counts["missing"]) == (1, 3)


def test_a_source_that_counts_anew_is_followed_after_a_few():
    gate = SourceQuality(Quality(sequence="number"))
    found = reasons(gate, *numbered(500, 1, 2, 3, 4, 5))
    assert found == [None] + [Reason.ORDER] * (RESTART_AFTER - 1) + [None] * 3
    assert reasons(gate, *numbered(2, 9, 3, 1)) == [Reason.ORDER, None, Reason.ORDER, Reason.ORDER], (
        "late ones are none"
    )


def test_streams_have_their_own_numbers_and_the_oldest_is_forgotten():
    gate = SourceQuality(Quality(sequence="number", per="account"))
    assert (
        reasons(gate, {"account": "a", "number": 7}, {"account": "b", "number": 1}, {"account": "a", "number": 8})
        == [None] * 3
    )
    reasons(gate, *({"account": f"c{i}", "number": 1} for i in range(3 * STREAMS_MAX)))
    assert len(gate._streams) == STREAMS_MAX


def test_outliers_are_far_from_the_running_median_and_a_lasting_shift_becomes_normal():
    quality = Quality(outliers=("price",), outlier_window=51, outlier_min=20, outlier_mads=6)
    gate, draw = SourceQuality(quality), random.Random(5)
    noise = [{"price": draw.gauss(100, 1)} for _ in range(200)]
    assert reasons(gate, *noise).count(Reason.OUTLIER) == 0
    assert reasons(gate, {"price": 150.0}, {"price": 100.5}, {"price": 15.0}) == [Reason.OUTLIER, None, Reason.OUTLIER]
    shifted = reasons(gate, *({"price": 200 + draw.gauss(0, 1)} for _ in range(60)))
    assert shifted[0] == Reason.OUTLIER
    assert shifted[30:] == [None] * 30


def test_what_is_out_of_range_does_not_move_the_scale():
    gate = SourceQuality(
        Quality(ranges={"price": Range(0, 1000)}, outliers=("price",), outlier_min=5, outlier_window=9)
    )
    reasons(gate, *({"price": 100 + i % 3} for i in range(9)))
    assert reasons(gate, *({"price": 1e6} for _ in range(20))) == [Reason.RANGE] * 20
    assert reasons(gate, {"price": 101.0}, {"price": 900.0}) == [None, Reason.OUTLIER]


def test_duplicates_are_the_same_content_within_the_time_but_not_a_retry_of_the_same_key():
    gate = SourceQuality(Quality(duplicates_within_s=3))
    content = {"account": "a", "amount": 1}
    assert reasons(gate, content, {"amount": 1, "account": "a"}) == [None, Reason.DUPLICATE], "order of keys is nothing"
    again = SourceQuality(Quality(duplicates_within_s=3))
    assert reasons(again, content, content, key="k1") == [None, None]
    assert reasons(again, content, key="k2") == [Reason.DUPLICATE], "keys aside"
    later = SourceQuality(Quality(duplicates_within_s=3))
    assert reasons(later, content, {"x": 1}, {"x": 2}, {"x": 3}, content) == [None] * 5, "four seconds later"


def test_the_memory_of_contents_is_bounded():
    gate = SourceQuality(Quality(duplicates_within_s=1e6))
    reasons(gate, *({"amount": i} for i in range(CONTENTS_MAX + 500)))
    assert len(gate._recent) == CONTENTS_MAX


def test_all_findings_are_told_and_the_first_gives_the_reason():
    gate = SourceQuality(Quality(max_age_s=1, ranges={"amount": Range(high=5)}, sequence="number"))
    signal = Signal(source="feed", kind="Payout", sent_us=NOW_US - 9_000_000)
    finding = gate.judge(signal, {"amount": 9, "number": 3}, NOW_US, NOW_US)
    assert finding.reason == Reason.STALE
    assert "sent 9.000 s ago" in finding.detail
    assert "amount=9" in finding.detail
    assert reasons(gate, {"number": 4, "amount": 1}, sent_us=NOW_US) == [None], "its number was seen all the same"


def test_what_makes_no_gate_is_refused_when_it_is_declared():
    for wrong in ({"on_gap": "shrug"}, {"max_age_s": 0}, {"outlier_min": 500}, {"outlier_mads": -1}):
        with pytest.raises(DeclarationError):
            Quality(**wrong)


# -- in a node ---------------------------------------------------------------------------------------------------------


def test_a_finding_ends_in_quarantine_and_counts_against_the_source():
    quality = Quality(ranges={"amount": Range(1, 100)}, max_age_s=60)
    app, done = payouts(quality)

    async def main(clock):
        async with node_on(app, clock) as node:
            good = await node.submit(Payout("a", 50), source="feed", sent_us=clock.wall_us())
            bad = await node.submit(Payout("a", 5_000), source="feed", sent_us=clock.wall_us(), position="line 2")
            broken = await node.submit(
                Signal(source="feed", kind="Payout", payload=b'{"account": 5}', sent_us=clock.wall_us())
            )
            other = await node.submit(Payout("b", 5_000), source="other")
            await good.outcome()
            await other.outcome()
            score = node.pipeline.feedback.score("feed"), node.pipeline.feedback.score("other")
            return good, bad, broken, await node.quarantined(), await node.quarantined("other"), score

    good, bad, broken, kept, others, (feed, other) = simulate(main)
    assert good.admitted
    assert (bad.verdict.result, bad.verdict.code) == ("refused", "QUARANTINED")
    assert bad.verdict.rulings[0].seen["reason"] == "range"
    assert (broken.verdict.code, broken.verdict.rulings[0].seen["reason"]) == ("MALFORMED", "schema")
    assert [entry.reason for entry in kept] == ["schema", "range"]
    assert others == []
    assert done == [("a", 50), ("b", 5_000)]
    assert feed < other == 1.0


def test_a_late_retry_of_a_decided_key_gets_its_answer_and_not_quarantine():
    app, done = payouts(Quality(max_age_s=5, duplicates_within_s=3600))

    async def main(clock):
        async with node_on(app, clock) as node:
            signal = node.signal(Payout("a", 5), source="feed", key="k", sent_us=clock.wall_us())
            first = await node.submit(signal)
            await clock.sleep(60)
            again = await node.submit(signal)
            new = await node.submit(node.signal(Payout("a", 5), source="feed", key="k2", sent_us=clock.wall_us()))
            return first, again, new

    first, again, new = simulate(main)
    assert (again.duplicate, again.id) == (True, first.id)
    assert new.verdict.rulings[0].seen["reason"] == "duplicate"
    assert done == [("a", 5)]


def test_gates_know_after_a_restart_what_they_had_seen():
    quality = Quality(
        sequence="number",
        on_gap="quarantine",
        duplicates_within_s=3600,
        outliers=("price",),
        outlier_min=20,
        ranges={"amount": Range(high=1_000)},
    )
    disk = MemoryDisk()

    async def before(clock):
        app, _ = payouts(quality)
        async with node_on(app, clock, disk) as node:
            for i in range(1, 41):
                await node.submit(Payout("a", i, number=i, price=100 + i % 5), source="feed")
            out = await node.submit(Payout("a", 9_999, number=41), source="feed")
            return out.verdict.code

    async def after(clock):
        await clock.sleep(600)
        app, _ = payouts(quality)
        async with node_on(app, clock, disk) as node:
            outlier = await node.submit(Payout("a", 1, number=42, price=500.0), source="feed")
            gap = await node.submit(Payout("a", 2, number=45), source="feed")
            same = await node.submit(Payout("a", 7, number=7, price=102.0), source="feed")
            good = await node.submit(Payout("a", 900, number=46, price=101.0), source="feed")
            return [
                h.verdict.rulings[0].seen.get("reason") if not h.admitted else None for h in (outlier, gap, same, good)
            ]

    assert simulate(before) == "QUARANTINED"
    assert simulate(after) == ["outlier", "gap", "order", None]


def test_freshness_is_held_against_the_clock_as_it_is_set_now():
    app, _ = payouts(Quality(max_age_s=5, max_ahead_s=5))

    async def main(clock):
        async with node_on(app, clock) as node:
            clock.jump(3600)  # it was an hour late, and has been corrected
            return await node.submit(Payout("a", 1), source="feed", sent_us=clock.wall_us())

    assert simulate(main).admitted
