"""Calibration against its definitions, computed directly."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lictor.feedback.calibration import BUCKETS, Calibration
from lictor.feedback.scores import calibrated

pairs_of = st.lists(st.tuples(st.floats(0.0, 1.0), st.booleans()), max_size=200)


def noted(pairs):
    calibration = Calibration()
    for confidence, came_true in pairs:
        calibration.note(confidence, came_true=came_true)
    return calibration


@given(pairs_of)
def test_brier_is_the_mean_squared_distance(pairs):
    brier = noted(pairs).brier
    if not pairs:
        assert brier is None
        return
    assert brier == pytest.approx(sum((c - t) ** 2 for c, t in pairs) / len(pairs), abs=1e-12)
    assert 0.0 <= brier <= 1.0


@given(pairs_of)
def test_each_pair_is_in_the_bucket_of_its_confidence(pairs):
    buckets = noted(pairs).reliability()
    assert len(buckets) == BUCKETS
    for k, bucket in enumerate(buckets):
        mine = [(c, t) for c, t in pairs if int(c * BUCKETS) == k or (c == 1.0 and k == BUCKETS - 1)]
        assert bucket.size == len(mine)
        if mine:
            assert bucket.confidence == pytest.approx(sum(c for c, _ in mine) / len(mine))
            assert bucket.came_true == sum(t for _, t in mine) / len(mine)
    assert sum(bucket.size for bucket in buckets) == len(pairs)


@given(pairs_of)
def test_what_is_recorded_is_taken_up_exactly(pairs):
    calibration = noted(pairs)
    again = Calibration.of(calibration.values())
    for one in (calibration, again):
        one.note(0.3, came_true=True)
    assert again.values() == calibration.values()
    assert 0.0 <= calibrated([again]) <= 1.0


def test_the_score_tells_the_honest_from_the_boastful():
    honest = noted([(0.7, place % 10 < 7) for place in range(1_000)])
    boastful = noted([(0.95, place % 2 == 0) for place in range(1_000)])
    assert calibrated([honest]) > 0.96
    assert calibrated([boastful]) < 0.6
    assert calibrated([]) == calibrated([None]) == 1.0
    assert 0.6 < calibrated([honest, boastful]) < 0.96


def test_the_score_is_about_the_recent_past():
    turned = noted([(0.9, True)] * 10 * 100 + [(0.9, False)] * 400)
    assert calibrated([turned]) < 0.15
