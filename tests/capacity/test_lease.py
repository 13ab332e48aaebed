"""Chunks of a shared limit over eight nodes in virtual time: nothing is lent twice, what follows is as predicted."""

from __future__ import annotations

from dataclasses import replace

import pytest
from benchmarks.failures.lending import Case, lend
from hypothesis import given, settings
from hypothesis import strategies as st

from lictor.capacity.lease import Coordinator, Holder, Terms, consequences

NODES, PER_S = 8, 800.0


def case(terms: Terms, **changes: object) -> Case:
    """Eight nodes that together want twice the limit."""
    return replace(Case(terms, PER_S, (2 * PER_S / NODES,) * NODES, 40.0), **changes)


@pytest.mark.parametrize("chunk", [1.0, 4.0, 8.0, 32.0])
def test_calls_stranded_quota_and_overshoot_are_as_predicted(chunk: float) -> None:
    terms = Terms(chunk, ttl_s=5.0)
    told = consequences(terms, nodes=NODES, cut_off=0, want_per_s=100.0)
    # half the limit is wanted: at more, calls are answered with less than a chunk
    found = lend(case(terms, wants=(50.0,) * NODES))
    assert found.calls_per_action == pytest.approx(told.calls_per_action, rel=0.02)
    assert found.stranded_max <= told.stranded_max
    pressed = lend(case(terms))
    assert pressed.overshoot_max <= told.overshoot_max
    assert pressed.used > 0.99


def test_a_chunk_of_one_is_fully_central() -> None:
    found = lend(case(Terms(1.0, 5.0), wants=(50.0,) * NODES))
    assert (found.calls_per_action, found.stranded_max) == (1.0, 0.0)


@given(st.floats(1, 64), st.floats(0.05, 20), st.integers(0, 10_000), st.floats(0.1, 4))
@settings(max_examples=40)
def test_the_limit_holds_in_every_stretch_whatever_the_terms(
    chunk: float, ttl_s: float, seed: int, load: float
) -> None:
    terms = Terms(chunk, ttl_s)
    wants = (load * PER_S / NODES,) * NODES
    found = lend(case(terms, seconds=4.0, seed=seed, wants=wants))
    assert found.overshoot_max <= consequences(terms, nodes=NODES, cut_off=0, want_per_s=1.0).overshoot_max + 1e-6


@pytest.mark.parametrize("on_disconnect", ["halt", "safe", "continue"])
def test_a_partition_does_what_its_terms_say(on_disconnect: str) -> None:
    terms = Terms(8.0, 2.0, on_disconnect, safe_per_s=25.0)
    cut = frozenset({0, 1, 2})
    wants = (50.0,) * NODES
    all_of_it = (50.0,) * 3 + (2 * PER_S / 5,) * 5  # those that are connected take the whole limit
    told = consequences(terms, nodes=NODES, cut_off=len(cut), want_per_s=50.0)
    found = lend(case(terms, wants=wants, seconds=320.0, cut=cut, cut_from_s=150.0, wants_cut=all_of_it))
    assert found.lost == pytest.approx(told.lost, abs=0.05)
    assert found.overshoot_per_s == pytest.approx(told.overshoot_per_s, abs=0.1 * max(10.0, told.overshoot_per_s))


def test_quota_moves_to_who_needs_it_within_the_time_of_a_lease() -> None:
    coordinator, idle, busy = Coordinator(1.0, 8.0, 0.0), Holder(Terms(8.0, 2.0)), Holder(Terms(8.0, 2.0))
    idle.lent(coordinator.ask(8.0, 0.0), 0.0)
    assert coordinator.ask(8.0, 0.0) == 0.0
    assert idle.ended(1.9) == 0.0
    assert not idle.take(2.0)  # its lease is over
    coordinator.give_back(idle.ended(2.0), 2.0)
    busy.lent(coordinator.ask(8.0, 2.0), 2.0)
    assert busy.tokens == 8.0
    assert coordinator.lent == 8.0


def test_a_node_that_reaches_the_coordinator_again_is_no_longer_on_its_own() -> None:
    node = Holder(Terms(4.0, 1.0, "safe", safe_per_s=10.0))
    node.lost(0.0)
    assert not node.take(0.0)
    assert node.take(0.2)
    node.lent(0.0, 0.3)
    assert not node.take(5.0)
