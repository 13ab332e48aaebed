"""Faults come from the seed alone, one point does not disturb another, and what struck is counted."""

from collections import Counter

import pytest

from lictor.testing import each_strike, run, scripted_faults, seeded_faults

KINDS = {"crash": 0.1, "timeout": 0.3}
POINTS = ("write:before", "write:after", "call")


def ask(seed, *, points=POINTS, times=50, **options):
    async def main(loop):
        faults = seeded_faults(loop, KINDS, **options)
        answers = {
            (kind, point): [faults.strikes(kind, point) for _ in range(times)] for kind in KINDS for point in points
        }
        return answers, faults

    return run(seed, main).value


def test_the_same_seed_gives_the_same_faults_and_another_seed_others():
    assert ask(1)[0] == ask(1)[0]
    assert len({str(ask(seed)[0]) for seed in range(30)}) > 15


def test_a_new_point_in_the_code_does_not_reshuffle_the_others():
    for seed in range(10):
        more = ask(seed, points=("new", *POINTS))[0]
        assert {key: more[key] for key in more if key[1] != "new"} == ask(seed)[0]


def test_each_seed_has_some_kinds_and_their_faults_strike_as_often_as_declared():
    struck = Counter()
    present = Counter()
    for seed in range(400):
        _, faults = ask(seed)
        for kind in KINDS:
            total = sum(count for (name, _), count in faults.struck.items() if name == kind)
            struck[kind] += total
            present[kind] += total > 0
    for kind, chance in KINDS.items():
        assert 150 < present[kind] < 250  # half of the seeds
        assert struck[kind] / (present[kind] * 150) == pytest.approx(chance, rel=0.1)


def test_faults_stop_at_their_bound_and_when_they_are_told_to():
    _, faults = ask(1, active=1.0, strikes_max=7)
    assert faults.struck.total() == 7
    _, faults = ask(1, active=1.0)
    before = faults.struck.copy()
    faults.stop()
    assert not any(faults.strikes("timeout", "call") for _ in range(100))
    assert faults.struck == before


def test_a_script_strikes_exactly_where_it_says():
    async def main(loop):
        faults = scripted_faults(loop, {("crash", "call", 2), ("crash", "call", 4)})
        return [faults.strikes("crash", "call") for _ in range(5)], loop.trace.tail(10)

    answers, tail = run(1, main).value
    assert answers == [False, True, False, True, False]
    assert [record[4] for record in tail if record[0] == "fault"] == ["crash at call"] * 2


def test_each_strike_lists_every_fault_that_a_run_could_have_met():
    assert list(each_strike({("b", "x"): 2, ("a", "y"): 1})) == [("a", "y", 1), ("b", "x", 1), ("b", "x", 2)]


def test_amounts_and_distances_come_from_streams_of_their_kind():
    async def main(loop, kinds=("delay",)):
        faults = scripted_faults(loop, ())
        return [
            (
                faults.amount("delay", 1, 2),
                faults.steps("crash", 100),
                [faults.amount(kind, 0, 1) for kind in kinds[1:]],
            )
            for _ in range(500)
        ]

    async def with_another(loop):
        return await main(loop, ("delay", "jump"))

    plain, other = run(1, main).value, run(1, with_another).value
    assert [entry[:2] for entry in plain] == [entry[:2] for entry in other]
    assert all(1 <= amount <= 2 and steps >= 1 for amount, steps, _ in plain)
    assert 80 < sum(steps for _, steps, _ in plain) / 500 < 120
