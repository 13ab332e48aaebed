import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from lictor.desks.trading.features import EVEN, ODD, Features
from lictor.desks.trading.fitting import SAMPLES_MIN, fit, fit_events

SECOND_US = 1_000_000
SPREAD_BPS = 0.2
WEIGHTS = np.array([0.6, -0.4, 0.3, 0.0, 0.0, 0.2, 0.0, -0.1])


def planted(count, noise, seed=3, drift=0.0, weights=WEIGHTS):
    """Features drawn at random, and a mid whose next move is their weighted sum, a drift and noise (bps)."""
    draw = np.random.default_rng(seed)
    rows, mid = [], 7_800_000.0
    for i in range(count):
        odd, even = draw.normal(size=len(ODD)), draw.normal(size=len(EVEN))
        time_us = (i + 1) * SECOND_US
        rows.append(Features(time_us, time_us, mid, SPREAD_BPS, 1.0, tuple(map(float, odd)), tuple(map(float, even))))
        mid *= math.exp((float(weights @ odd) + drift + noise * float(draw.normal())) / 1e4)
    return rows


def test_a_relation_that_is_there_is_found():
    model = fit(planted(3000, noise=0.5), horizon_s=1)
    learned = np.array(model.edge_odd) / np.array(model.odd_scale)
    assert np.corrcoef(learned, WEIGHTS)[0, 1] > 0.99
    assert model.training.held_out_r2 > 0.5
    assert model.training.held_out_hit_rate > 0.75
    assert model.training.held_out_brier < 0.8 * model.training.base_rate_brier


def test_where_there_is_nothing_little_is_claimed():
    model = fit(planted(3000, noise=1.0, weights=0 * WEIGHTS), horizon_s=1)
    edges = [model.forecast(row).edge_bps for row in planted(500, noise=1.0, seed=9)]
    assert np.std(edges) < 0.05
    assert abs(model.training.held_out_r2) < 0.01


def test_what_it_states_comes_true_on_fresh_data():
    model = fit(planted(4000, noise=0.7), horizon_s=1)
    fresh = planted(4000, noise=0.7, seed=8)
    stated, outcome = [], []
    for row, following in pairwise(fresh):
        stated.append(model.forecast(row).up)
        outcome.append(1e4 * math.log(following.mid / row.mid) > SPREAD_BPS / 2)
    stated, outcome = np.array(stated), np.array(outcome)
    for low, high in ((0.0, 0.2), (0.2, 0.4), (0.4, 0.6), (0.6, 0.8), (0.8, 1.0)):
        bucket = (stated >= low) & (stated < high)
        assert bucket.sum() > 100
        assert outcome[bucket].mean() == pytest.approx(stated[bucket].mean(), abs=0.08)


def test_a_rising_training_window_does_not_teach_it_to_buy():
    model = fit(planted(1000, noise=0.5, drift=0.8), horizon_s=1)
    row = planted(1, noise=0.0)[0]
    forecast = model.forecast(replace(row, odd=(0.0,) * len(ODD)))
    assert forecast.edge_bps == 0.0
    assert forecast.up == forecast.down


def test_the_same_data_gives_the_same_model_and_the_future_none_of_it(market, spoiled):
    until_us = market[0].time_us + 600 * SECOND_US
    model = fit_events(market, until_us)
    assert fit_events(iter(market), until_us) == model
    rest = [spoiled(event) if event.time_us >= until_us else event for event in market]
    assert fit_events(rest, until_us).version == model.version
    assert model.training.until_us < until_us
    nearly = [spoiled(event) if event.time_us >= until_us - 5 * SECOND_US else event for event in market]
    assert fit_events(nearly, until_us) != model


def test_reading_stops_where_training_ends(market):
    until_us = market[0].time_us + 300 * SECOND_US

    def stream():
        for event in market:
            assert event.time_us < until_us + SECOND_US
            yield event

    assert fit_events(stream(), until_us).training.samples > SAMPLES_MIN


def test_too_little_data_is_refused():
    with pytest.raises(ValueError, match="too few"):
        fit(planted(SAMPLES_MIN, noise=0.5), horizon_s=1)
    with pytest.raises(ValueError, match="too few"):
        fit([])


def test_features_that_never_vary_and_a_market_that_never_moves_do_no_harm():
    rows = [replace(row, odd=(0.0,) * len(ODD), even=(1.0,) * len(EVEN), mid=5.0) for row in planted(300, noise=0.1)]
    forecast = fit(rows, horizon_s=1).forecast(rows[0])
    assert forecast.edge_bps == 0.0
    assert 0.0 <= forecast.up < 0.1
