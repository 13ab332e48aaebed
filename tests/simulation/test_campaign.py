"""The short form of the campaign: every promise holds, the same seed is the same run, missing safeguards are found."""

import pytest
from tests.simulation.ablations import ABLATIONS
from tests.simulation.campaign import Tally, run_chunk
from tests.simulation.hunt import hunt

from lictor.testing import Swarm, simulate

#: Few, because `make campaign` runs 20,000; other ones than those, so that both together are more.
FIRST = 1_000_000


@pytest.mark.parametrize("part", range(4))
def test_simulated_seeds_keep_every_promise(part):
    tally = run_chunk(FIRST + part * 50, 50, sqlite_every=0)
    assert [(v.told, v.replay) for v in tally.violations] == []
    assert tally.crashes
    assert tally.faults
    assert tally.ends["succeeded"]


def test_seeds_on_a_real_sqlite_file_keep_every_promise():
    tally = Tally()
    for seed in range(FIRST, FIRST + 12):
        tally.add(simulate(seed, Swarm, sqlite=True))
    assert tally.crashes
    assert tally.decisions


def test_the_same_seed_is_the_same_run():
    for seed in range(FIRST, FIRST + 4):
        once, again = (simulate(seed, Swarm) for _ in range(2))
        assert (once.digest, once.facts, once.struck) == (again.digest, again.facts, again.struck)


@pytest.mark.parametrize("name", ["direct past the key", "blind retry", "answer before write", "second outcome"])
def test_a_missing_safeguard_is_found(name):
    found = hunt(ABLATIONS[name], FIRST, 200)
    assert found.seeds is not None, found


@pytest.mark.parametrize("name", ABLATIONS)
def test_a_safeguard_is_where_the_ablation_looks_for_it_and_comes_back(name):
    with ABLATIONS[name].patch():
        pass
    simulate(FIRST, Swarm)


def test_every_invariant_that_the_simulator_must_watch_has_an_ablation():
    wanted = {f"I{number}" for number in (*range(1, 14), 15, 16, 17, 18, 20)}
    assert {ablation.invariant for ablation in ABLATIONS.values()} == wanted


def test_a_cell_that_was_never_hit_is_reported():
    tally = Tally()
    assert ("crash before", "admit") in tally.never_hit()
    tally.struck["crash before", "admit"] += 1
    assert ("crash before", "admit") not in tally.never_hit()
