import math
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor.desks.trading.edge import LearnedEdge

EDGES = st.lists(st.tuples(st.floats(0, 5), st.floats(-20, 20)), max_size=50)


def learned(pairs, **options):
    edge = LearnedEdge(**options)
    for stated, realised in pairs:
        edge = edge.update(stated, realised)
    return edge


def test_it_starts_by_believing_and_ends_with_what_came():
    assert LearnedEdge().ratio == LearnedEdge().multiplier == 1.0
    assert learned([(1.0, 0.4)] * 3000, decay=1.0).ratio == pytest.approx(0.4, abs=0.01)
    assert learned([(1.0, 0.4)] * 3).ratio > 0.6


def test_it_forgets():
    edge = learned([(1.0, -1.0)] * 200 + [(1.0, 1.0)] * 600)
    assert edge.ratio == pytest.approx(1.0, abs=0.01)


@given(EDGES)
def test_the_multiplier_only_shrinks(pairs):
    edge = learned(pairs)
    assert 0.0 <= edge.multiplier <= 1.0
    assert edge.lower_bound_bps() <= edge.upper_bound_bps()


@given(EDGES, st.floats(0, 5), st.floats(-20, 20), st.floats(0.1, 5))
def test_a_better_outcome_never_lowers_it(pairs, stated, realised, more):
    edge = learned(pairs)
    assert edge.update(stated, realised + more).ratio > edge.update(stated, realised).ratio


def test_what_is_not_a_number_teaches_nothing():
    edge = learned([(1.0, 0.5)])
    for stated, realised in ((math.nan, 1.0), (1.0, math.inf), (-0.5, 1.0)):
        assert edge.update(stated, realised) is edge


def test_the_bounds_hold_the_truth_and_say_nothing_too_early():
    assert LearnedEdge().upper_bound_bps() == math.inf
    assert learned([(1.0, -9.0)]).lower_bound_bps() == -math.inf
    inside = 0
    for seed in range(200):
        draw = random.Random(seed)
        edge = learned([(1.0, draw.gauss(-0.3, 1.0)) for _ in range(150)])
        inside += edge.lower_bound_bps() <= -0.3 <= edge.upper_bound_bps()
    assert 180 <= inside <= 200  # two standard errors


def test_a_source_that_loses_is_found_out():
    draw = random.Random(1)
    assert learned([(0.5, draw.gauss(-0.5, 1.0)) for _ in range(200)]).upper_bound_bps() < 0
