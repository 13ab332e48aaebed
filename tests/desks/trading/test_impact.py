import math
import random

import pytest

from lictor.desks.trading.impact import (
    PRIOR_Y,
    SAMPLES_MIN,
    Almgren,
    almgren,
    expected_cost_bps,
    fit_y,
    square_root,
    square_root_bps,
)


def test_four_times_the_size_costs_twice_as_much():
    assert square_root_bps(4, 100, 10.0) == pytest.approx(2 * square_root_bps(1, 100, 10.0))
    assert square_root_bps(1, 100, 10.0, y=0.5) == pytest.approx(0.5)


def test_a_market_that_does_not_trade_is_infinitely_dear():
    assert square_root(1, 0) == square_root(math.nan, 1) == math.inf
    assert square_root_bps(1, 0, 0.0) == math.inf  # and not 0 x infinity
    assert square_root_bps(0, 0, 10.0) == 0.0


# Almgren et al. (2005), table 3: a tenth of a day's volume, over T days; the paper rounds alpha to 1 and delta to 1/4.
@pytest.mark.parametrize(
    ("volume", "sigma_bps", "shares", "days", "permanent", "temporary", "realised"),
    [
        (6.561e6, 157, 1728e6, 0.1, 20, 22, 32),
        (6.561e6, 157, 1728e6, 0.2, 20, 15, 25),
        (6.561e6, 157, 1728e6, 0.5, 20, 8, 18),
        (1.929e6, 226, 168e6, 0.1, 22, 32, 43),
        (1.929e6, 226, 168e6, 0.5, 22, 12, 23),
    ],
)
def test_the_papers_own_examples(volume, sigma_bps, shares, days, permanent, temporary, realised):
    cost = almgren(volume / 10, volume, sigma_bps, days, shares, Almgren(alpha=1.0, delta=0.25))
    assert cost.permanent_bps == pytest.approx(permanent, abs=0.6)
    assert cost.temporary_bps == pytest.approx(temporary, abs=0.6)
    assert cost.realised_bps == pytest.approx(realised, abs=1.0)


def test_almgren_refuses_what_is_not_positive():
    with pytest.raises(ValueError, match="positive"):
        almgren(1, 0, 100, 1, 1)


def test_an_edge_must_pay_for_half_the_spread_the_impact_and_the_fees():
    assert expected_cost_bps(0.2, 0.3, 0.05) == pytest.approx(0.45)


def executions(y, count, noise, seed=7):
    draw = random.Random(seed)
    return [(x, y * x + draw.gauss(0, noise)) for x in (draw.uniform(0.1, 2.0) for _ in range(count))]


def test_few_executions_teach_nothing():
    fit = fit_y(executions(0.4, SAMPLES_MIN - 1, 0.0))
    assert (fit.y, fit.samples, fit.least_squares) == (PRIOR_Y, SAMPLES_MIN - 1, None)


def test_many_executions_win_over_the_prior():
    few, many = fit_y(executions(0.4, 30, 0.0)), fit_y(executions(0.4, 3000, 0.2))
    assert few.least_squares == pytest.approx(0.4)
    assert few.y == pytest.approx((0.4 + PRIOR_Y) / 2)  # 30 against a prior worth 30
    assert many.y == pytest.approx(0.4, abs=0.02)


def test_what_is_not_a_number_is_not_an_execution():
    rows = executions(0.4, 100, 0.1)
    assert fit_y([*rows, (math.nan, 1.0), (1.0, math.inf), (0.0, 5.0), (-1.0, 5.0)]) == fit_y(rows)


def test_impact_is_never_learned_to_be_negative():
    assert fit_y([(1.0, -50.0)] * 100).y == 0.0
