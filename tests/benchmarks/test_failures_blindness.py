"""Feedback blindness in small: what is seen and how soon, and that the judge tells true outcomes from told ones."""

import pytest
from benchmarks.failures import blindness
from benchmarks.failures import blindness_limits as limits
from benchmarks.failures.blindness_node import outcomes


def test_a_slow_down_is_seen_in_a_few_answers_and_a_hang_before_any_time_out():
    seen = sorted(limits.slowed("lictor", seed) or 0 for seed in range(2, 5))
    assert seen[1] <= 10
    assert sorted(limits.hung("lictor", seed, 16) for seed in range(2, 5))[1] <= 2.0
    assert (limits.hung("gradient2", 2, 16) or 0.0) > 5.0
    assert limits.slowed("fixed", 2) is None


def test_the_limit_follows_the_servers_and_one_seed_is_one_run():
    windows, _, off = limits.tracked("lictor", 3, 40, 10, answers=5_000)
    assert None not in windows
    assert off < 0.2
    assert limits.tracked("lictor", 3, 40, 10, answers=5_000)[0] == windows


def test_nothing_is_believed_that_the_world_has_not_confirmed():
    seen = outcomes("lictor verified", 1, 4.0, 20.0)
    assert seen.lied
    assert (seen.unknown, seen.false_success, seen.false_failure, seen.doubles) == (0, 0, 0, 0)
    assert seen.succeeded > 100
    assert "hanging while it hangs" in seen.said_s


@pytest.mark.parametrize("arm", ["naive", "lictor checked"])
def test_the_judge_sees_lies_that_are_believed(arm):
    seen = outcomes(arm, 1, 4.0, 20.0)
    assert seen.false_success
    assert bool(seen.unknown) == (arm == "naive")


def test_the_figures_are_those_that_are_asked_for(tmp_path, monkeypatch):
    monkeypatch.setattr(blindness, "QUICK_ANSWERS", 2_000)
    monkeypatch.setattr(blindness, "QUICK_PHASE_S", 3.0)
    monkeypatch.setattr(limits, "WARM_UP", 100.0)
    monkeypatch.setattr(limits, "tracked", lambda arm, seed, many, few: ([4, 5], [1.0, 2.0], 0.02))
    monkeypatch.setattr(limits, "recovered", lambda arm, seed: (None, None))
    found = blindness.run(blindness.Settings(seeds=1, seed=2, quick=True, out=tmp_path))
    shown = {show.id: show for show in found.shows}
    assert shown["S5 F4 32 become 160: the limit is within 10 % after"].value == 5
    assert not shown["S5 F4 a hang is over: the limit is within 10 % after"].met
    assert shown["S5 F4 false successes, where effects can be verified"].met
    assert [row[0] for row in found.tables[0].rows] == list(limits.ARMS)
    assert {len(row) for row in found.tables[0].rows} == {len(found.tables[0].columns)}
