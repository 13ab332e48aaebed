import math

import pytest

from lictor.desks.trading.market import BUY, SELL, Snapshot
from lictor.desks.trading.model import ModelSignal
from lictor.desks.trading.score import MidPath, markout_bps, score

SECOND_US = 1_000_000


def path(*mids):
    """One snapshot a second with these mids (cents), a cent wide on each side."""
    return MidPath(Snapshot(i * SECOND_US, ((mid - 1, 1),), ((mid + 1, 1),)) for i, mid in enumerate(mids))


def signal(second, side, mid, edge_bps=1.0, confidence=0.5):
    return ModelSignal(second * SECOND_US, side, edge_bps, confidence, float(mid), 2e4 / mid, 1.0)


def test_the_path_is_a_step_function():
    steps = path(1000, 1010)
    assert [steps.at(time_us) for time_us in (-1, 0, 999_999, 1_000_000, 1_000_001)] == [None, 1000, 1000, 1010, None]
    assert MidPath([]).at(0) is None


def test_a_markout_is_signed_by_the_side():
    steps = path(100_000, 100_010)
    assert markout_bps(signal(0, BUY, 100_000), steps, 1.0) == pytest.approx(1e4 * math.log(1.0001))
    assert markout_bps(signal(0, SELL, 100_000), steps, 1.0) == pytest.approx(-1e4 * math.log(1.0001))
    assert markout_bps(signal(1, BUY, 100_010), steps, 1.0) is None


def test_hits_payments_and_brier():
    steps = path(100_000, 100_010, 100_000, 100_000, 100_000)
    made = [
        signal(0, BUY, 100_000, 2.0, 0.8),  # pays
        signal(1, BUY, 100_010, 1.0, 0.6),  # moves against it
        signal(2, SELL, 100_000, 0.5, 0.1),  # does not move
        signal(4, SELL, 100_000, 9.0, 0.9),  # its horizon is not in the path
    ]
    result = score(made, steps, 1.0, buckets=3)
    assert (result.count, result.moved, result.hit_rate) == (3, 2, 0.5)
    assert result.paid_rate == pytest.approx(1 / 3)
    assert result.brier == pytest.approx((0.2**2 + 0.6**2 + 0.1**2) / 3)
    assert result.brier_base_rate == pytest.approx(2 / 9)
    assert result.brier_skill == pytest.approx(1 - result.brier / (2 / 9))
    assert [bucket.stated for bucket in result.by_edge] == [0.5, 1.0, 2.0]
    assert [bucket.realised for bucket in result.by_confidence] == [0.0, 0.0, 1.0]
    assert sum(bucket.count for bucket in result.by_edge) == 3


def test_overlapping_horizons_are_less_evidence_than_they_look():
    mids = [100_000 + 10 * (i % 40 < 20) * (i % 20) for i in range(400)]
    steps = path(*mids)
    dense = [signal(i, BUY, mids[i]) for i in range(360)]
    alone, overlapping = score(dense, steps, 0.001).edge_error_bps, score(dense, steps, 10.0)
    moves = [markout_bps(each, steps, 10.0) for each in dense]
    mean = sum(moves) / len(moves)
    naive = math.sqrt(sum((move - mean) ** 2 for move in moves)) / len(moves)
    assert alone == 0.0
    assert overlapping.edge_error_bps > 2 * naive


def test_nothing_to_score_is_refused():
    with pytest.raises(ValueError, match="no signal"):
        score([], path(1000), 1.0)
