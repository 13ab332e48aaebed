"""Rehearsal: with the rules that ran nothing changes; with others, what changes is what would have."""

from __future__ import annotations

import asyncio
from collections import Counter
from decimal import Decimal
from functools import partial

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.validation.treasury import Rules, rehearse, treasury, work

from lictor.journal.codec import decode, encode
from lictor.journal.port import Admit, Refer
from lictor.journal.sqlite.journal import SqliteJournal
from lictor.journal.sqlite.keys import StoredKeys
from lictor.surfaces import rehearsing
from lictor.testing.clock import EPOCH_US
from lictor.validation.what_if import WhatIf

SEEDS = range(1, 9)


@pytest.fixture(scope="module")
def disks():
    return [work(seed) for seed in SEEDS]


@given(seed=st.integers(0, 1 << 20))
@settings(max_examples=15, deadline=None)
def test_the_rules_that_ran_change_nothing(seed: int) -> None:
    found = rehearse(work(seed, steps=60), Rules())
    assert (found.changed, found.undecidable, found.assumed) == (0, 0, 0), (found.matrix, found.reasons)
    assert found.unchanged == found.decisions > 0
    for use in found.use:
        assert (use.limit_then, use.peak_then, use.end_then) == (use.limit_now, use.peak_now, use.end_now), use


def test_the_work_has_every_kind_of_verdict(disks) -> None:
    seen: Counter[str] = Counter()
    for disk in disks:
        seen.update(rehearse(disk, Rules()).then)
    told = " ".join(seen)
    for part in (
        "admitted (amended)",
        "held(LARGE) > admitted",
        "held(LARGE) > refused(APPROVAL_DENIED)",
        "deferred(PRICE_MOVING)",
        "BUDGET_EXCEEDED",
        "BUDGET_LATCHED",
        "DAY_FULL",
        "KEY_REUSED",
        "HALTED",
        "NOT_PERMITTED",
        "LOOKUP_FAILED",
        "FRAUD",
        "REFERENCE_MISSING",
        "LOW_CLASS",
    ):
        assert part in told, (part, seen)


def test_a_stricter_gate_refuses_what_was_admitted_and_says_which_gate(disks) -> None:
    found = [rehearse(disk, Rules(denied=("gone", "a-1"))) for disk in disks]
    assert sum(one.changed for one in found) > 0
    for one in found:
        assert one.undecidable == 0
        assert any(now == "refused(ACCOUNT_GONE)" for _, now in one.matrix)
        for change in one.changes:
            if change.now == "refused(ACCOUNT_GONE)":
                assert change.gate == "known"


def test_a_raised_threshold_needs_no_approval_and_uses_the_recorded_outcome(disks) -> None:
    found = [rehearse(disk, Rules(hold_above=10_000)) for disk in disks]
    assert sum(one.matrix["held(LARGE) > admitted", "admitted"] for one in found) > 0
    assert not any("held" in now for one in found for _, now in one.matrix)


def test_a_person_approves_what_a_changed_gate_still_holds(disks) -> None:
    """Another threshold is another version of the gate; who approved under the old one counts as having approved."""
    found = [rehearse(disk, Rules(hold_above=399)) for disk in disks]
    assert sum(one.changed + one.undecidable for one in found) == 0


def test_what_nobody_recorded_is_undecidable_and_not_guessed(disks) -> None:
    found = [rehearse(disk, Rules(reads_score=True)) for disk in disks]
    assert sum(one.undecidable for one in found) > 0
    for one in found:
        assert set(one.reasons) <= {"gate trusted reads score.success: no gate read the score then"}
        assert one.changed == 0


def test_a_reference_that_no_gate_read_is_read_as_it_was_in_force(disks) -> None:
    found = [rehearse(disk, Rules(reads_other=True)) for disk in disks]
    assert sum(one.matrix["admitted", "refused(OTHER)"] for one in found) > 0
    assert sum(one.undecidable for one in found) == 0


def test_lower_limits_refuse_and_are_never_passed(disks) -> None:
    refused = 0
    for disk in disks:
        found = rehearse(disk, Rules(), limits={("cash", None): 500})
        refused += sum(count for (_, now), count in found.matrix.items() if "BUDGET_EXCEEDED" in now)
        for use in found.use:
            if use.budget == "cash":
                assert use.limit_now == 500
                overrun = 500  # what an effector may settle above its reservation in this App
                assert use.peak_now <= 500 + overrun
            else:
                assert use.limit_then == use.limit_now
    assert refused > 0


def test_a_limit_of_one_scope_leaves_the_others_alone(disks) -> None:
    for disk in disks:
        for use in rehearse(disk, Rules(), limits={("daily", "a-2"): Decimal(10)}).use:
            if (use.budget, use.scope) == ("daily", "a-2"):
                assert use.limit_now == 10
                assert use.peak_now <= 10
            else:
                assert use.limit_then == use.limit_now


def test_declared_limits_are_tried_but_what_a_person_set_stays(disks) -> None:
    found = [use for disk in disks for use in rehearse(disk, Rules(cash=1_234)).use if use.budget == "cash"]
    assert {use.limit_now for use in found if use.limit_then == 3_000} == {1_234}
    assert any(use.limit_then == use.limit_now != 3_000 for use in found)


def test_erased_content_and_erased_references_are_undecidable() -> None:
    disk = work(3)
    for number, row in enumerate(disk.rows):
        fact = decode(row.event, row.body, row.payload)
        if isinstance(fact, Admit | Refer) and number % 3 == 0:
            disk.rows[number] = row._replace(payload=b"")
    found = rehearse(disk, Rules())
    assert found.reasons["the content was erased"] > 0
    assert any("was erased" in reason and "price" in reason for reason in found.reasons)
    assert found.changed == 0


def test_a_kind_that_is_gone_is_undecidable() -> None:
    disk = work(2)
    for number, row in enumerate(disk.rows):
        fact = decode(row.event, row.body, row.payload)
        if isinstance(fact, Admit) and fact.decision.kind == "Sweep":
            decision = msgspec.structs.replace(fact.decision, kind="Sweeping")
            body, payload = encode(Admit(decision, fact.verdict, fact.plan, fact.lease))
            disk.rows[number] = row._replace(body=body, payload=payload)
    found = rehearse(disk, Rules())
    assert set(found.reasons) == {"kind Sweeping is not declared"}


def test_since_until_and_kind_bound_what_is_rehearsed(disks) -> None:
    disk = disks[0]
    everything = rehearse(disk, Rules(denied=("gone", "a-1")))
    middle = (everything.first_us + everything.last_us) // 2
    early = rehearse(disk, Rules(denied=("gone", "a-1")), until_us=middle)
    late = rehearse(disk, Rules(denied=("gone", "a-1")), since_us=middle)
    # What was received before the middle and decided on after it is of neither: its period is when it was received.
    assert everything.decisions - 3 <= early.decisions + late.decisions <= everything.decisions
    assert early.last_us < middle <= late.first_us
    payouts = rehearse(disk, Rules(denied=("gone", "a-1")), kinds=frozenset({"Payout"}))
    assert 0 < payouts.decisions < everything.decisions
    assert {change.kind for change in payouts.changes if change.now == "refused(ACCOUNT_GONE)"} == {"Payout"}


@pytest.mark.parametrize("seed", [4, 7, 20])
def test_with_what_is_old_archived_the_rest_still_does_not_change(seed, tmp_path) -> None:
    work(seed, file=tmp_path / "journal.db")

    async def main():
        journal = SqliteJournal(tmp_path / "journal.db", make_keys=partial(StoredKeys, keep_us=0))
        await journal.open(EPOCH_US)
        whole = await rehearsing.rehearse(treasury(Rules()), journal)
        middle = (whole.first_us + whole.last_us) // 2
        await journal.retain(middle, tmp_path / "archive.db")
        rest = await rehearsing.rehearse(treasury(Rules()), journal)
        await journal.close()
        return whole, rest

    whole, rest = asyncio.run(main())
    assert (whole.changed, whole.undecidable, whole.archived) == (0, 0, 0)
    assert 0 < rest.decisions < whole.decisions
    assert rest.archived > 0
    assert rest.unchanged > 0
    assert rest.changed == 0, rest.matrix
    assert all("version of the reference" in reason for reason in rest.reasons)
    ends = {(use.budget, use.scope): (use.end_then, use.end_now) for use in whole.use}
    for use in rest.use:
        assert (use.end_then, use.end_now) == ends[use.budget, use.scope], use


def test_nothing_is_performed(disks) -> None:
    performed: list[str] = []
    for disk in disks:
        before = list(disk.rows)
        rehearse(disk, Rules(denied=(), asks_model=False, performed=performed))
        assert disk.rows[: len(before)] == before
    assert performed == []
    assert work(1, steps=10, rules=Rules(performed=performed))
    assert performed  # the list does notice effectors that are called


def test_without_what_it_admits_a_ledger_would_tell_of_more_room(disks, monkeypatch) -> None:
    """Taking a safeguard away: a what-if that assumes nothing of new admissions shows less use."""
    honest = [rehearse(disk, Rules(asks_model=False)) for disk in disks]
    monkeypatch.setattr(WhatIf, "assume", lambda *_: None)
    monkeypatch.setattr(WhatIf, "admit", lambda self, fact, _seq, _at: fact.verdict)
    careless = [rehearse(disk, Rules(asks_model=False)) for disk in disks]

    def used(found):
        return sum(use.peak_now for one in found for use in one.use)

    assert used(careless) < used(honest)
