"""Decision without control in small: the engine's race breaks nothing, and the judge sees what others break."""

from collections import Counter
from random import Random

import pytest
from benchmarks.failures import control
from benchmarks.failures.control_proposals import AMOUNT_MAX, DEFECTS, LIMIT, Policy, drawn, next_policy
from tests.simulation.ablations import ABLATIONS


def test_three_in_ten_proposals_are_defective_in_every_way():
    proposals = drawn(Random(3), 4_000)
    defects = Counter(p.defect for p in proposals)
    assert set(defects) == {None, *DEFECTS}
    assert 0.25 < 1 - defects[None] / len(proposals) < 0.35
    assert AMOUNT_MAX <= 0.0005 * LIMIT
    for p in proposals:
        if p.defect == "duplicate":
            first = proposals[p.earlier]
            assert (first.key, first.account, first.amount) == (p.key, p.account, p.amount)


def test_a_decree_revokes_and_gives_back():
    policy, draw = Policy(), Random(1)
    sizes = set()
    for _ in range(50):
        policy = next_policy(draw, policy)
        sizes.add(len(policy.revoked))
    assert policy.version == 50
    assert policy.floor
    assert {0, 1, 2} <= sizes
    assert not Policy(revoked=frozenset({"a-1"})).permits("a-1", 0)
    assert not Policy(floor=2).permits("a-1", 1)


@pytest.mark.parametrize("arm", ["lictor fast", "lictor checked"])
def test_the_engine_s_race_lets_nothing_through(arm):
    total = control.races(arm, 1, 3, 150)
    assert total.violations == []
    assert (total.ungoverned, total.overshoot, total.doubles, total.unflagged, total.unaccounted) == (0, 0, 0, 0, 0)
    assert (total.revoked == 0) == (arm == "lictor checked")
    assert total.use_min >= 0.999
    assert total.crashes > 5
    assert total.arrivals > 100
    assert {"BUDGET_EXCEEDED", "KEY_REUSED", "MALFORMED", "EXPIRED", "SOURCE_UNKNOWN"} <= set(total.refusals)


def test_one_seed_is_one_race():
    assert control.race("lictor fast", 2, 60) == control.race("lictor fast", 2, 60)


def test_the_judge_sees_what_checking_before_acting_lets_through():
    total = control.races("naive", 1, 3, 400)
    assert total.doubles
    assert total.overshoot > 0
    assert total.revoked
    assert total.unflagged


@pytest.mark.parametrize("name", ["no room check", "keys forgotten", "blind retry"])
def test_a_missing_safeguard_is_found_in_the_race(name):
    with ABLATIONS[name].patch():
        found = control.races("lictor fast", 1, 4, 150)
    assert found.violations or found.overshoot or found.doubles


def test_the_figures_are_those_that_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(control, "QUICK_RACES", 1)
    monkeypatch.setattr(control, "QUICK_PROPOSALS", 60)
    monkeypatch.setattr(control, "kills", lambda found, settings: None)  # tests/chaos kills
    found = control.run(control.Settings(quick=True, out=tmp_path))
    shown = {show.id: show for show in found.shows}
    assert shown["S3 F1 received less the sum of terminals"].met
    assert not shown["S3 F1 decisions"].met
    assert [row[0] for row in found.tables[0].rows] == list(control.ARMS)
