"""What `lictor explain` says of settings: numbers that follow, and a calibration that is measured here."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

import pytest
from benchmarks.failures import tradeoffs

from lictor import App, Call, Settings, report
from lictor.capacity.lease import Terms
from lictor.explain.calibration import DURABILITIES, calibrate
from lictor.explain.consequence import Consequence
from lictor.explain.prediction import Assumed, predict


@dataclass(frozen=True)
class Payout:
    account: str


def payouts(*, askable: bool = True) -> App:
    app = App("payouts")
    app.decision(expires_in_s=30)(Payout)

    @app.effector(idempotent=True, timeout_s=5, extra_work=0.25)
    async def transfer(call: Call, account: str) -> None:
        raise AssertionError("explaining acts on nothing")

    @app.effector(idempotent=False, timeout_s=2)
    async def notify(call: Call, account: str) -> None:
        raise AssertionError("explaining acts on nothing")

    if askable:
        transfer.reconcile(lambda call, account: report("r", final=True, result="succeeded"))
    app.plan(Payout)(lambda payout: transfer.action(payout.account))
    return app


def told(what: str, settings: Settings | None = None, *, setting: str = "", **more: object) -> Consequence:
    """The consequence that is meant."""
    found = predict(payouts(), settings or Settings(), **more)  # type: ignore[arg-type]
    return next(one for one in found if one.what == what and one.setting.startswith(setting))


@pytest.mark.parametrize(
    ("assurance", "seconds", "believed"), [("fast", 30, 1), ("checked", 5, 1), ("verified", 5, 0.5)]
)
def test_assurance_bounds_how_long_wrong_things_go_on(assurance: str, seconds: float, believed: float) -> None:
    settings = Settings(assurance=assurance)
    acts = told("a revoked policy acts for", settings)
    assert (acts.value, acts.bound, acts.unit) == (seconds, True, "s")
    assert told("false successes believed", settings).value == believed


def test_what_a_crash_takes_follows_from_durability() -> None:
    crash, cut = "acknowledged and lost by a crash", "acknowledged and lost by a power cut"
    lost = {name: (told(crash, Settings(durability=name)).value, told(cut, Settings(durability=name)).value)
            for name in DURABILITIES}  # fmt: skip
    assert lost == {"memory": (None, None), "journal": (0.0, None), "sync": (0.0, 0.0)}


@pytest.mark.parametrize(("headroom", "seconds"), [(0.0, None), (0.1, 270.0), (0.5, 30.0)])
def test_headroom_says_how_fast_an_outage_is_over(headroom: float, seconds: float | None) -> None:
    drained = told("an outage is drained after", Settings(headroom=headroom))
    assert drained.value == (None if seconds is None else pytest.approx(seconds))


def test_extra_work_bounds_attempts_and_says_what_they_gain() -> None:
    mine = {"setting": "transfer", "assumed": Assumed(fails=0.1)}
    assert told("attempts for each decision", **mine).value == 1.25
    assert told("recovers by itself below a load of", **mine).value == 0.8
    assert told("fails in the end, by chance", **mine).value == pytest.approx(1e-4)
    spent = told("fails in the end, by chance", setting="notify", assumed=Assumed(fails=0.1))
    assert spent.value == pytest.approx(1 - 0.9 * 1.05)


def test_a_fleet_is_explained_only_where_there_is_one() -> None:
    alone = {one.trade_off for one in predict(payouts(), Settings())}
    assert "centralisation and autonomy" not in alone
    assumed = Assumed(nodes=8, terms=Terms(4.0, 10.0, "safe", 25.0), want_per_s=100.0, cut_off=2)
    assert told("calls to the coordinator", assumed=assumed).value == 0.25
    assert told("quota lies idle", assumed=assumed).value == 32
    assert told("beyond the limit while cut off", assumed=assumed).value == 50
    assert told("a node that is cut off cannot do", assumed=assumed).value == 0.75
    assert told("fair order lags by", assumed=assumed).value == 8 * Settings().window_max


def test_every_consequence_has_its_unit_and_its_formula() -> None:
    assumed = Assumed(nodes=2, terms=Terms(4.0, 10.0))
    for one in predict(payouts(), Settings(headroom=0.1), assumed=assumed):
        assert one.formula
        assert one.unit or one.what == "attempts for each decision"


def test_calibration_measures_a_node_of_its_own_and_leaves_nothing(tmp_path: Path) -> None:
    measured = asyncio.run(calibrate(payouts(), tmp_path))
    assert set(measured.busy_s) == set(measured.idle_s) == set(DURABILITIES)
    assert all(0 < seconds < 10 for seconds in (*measured.busy_s.values(), *measured.idle_s.values()))
    assert measured.verified_s >= 0
    assert not list(tmp_path.iterdir())
    costs = told("costs of many at once", measured=measured)
    assert costs.value == pytest.approx(measured.busy_s["sync"] * 1e6)


def test_every_trial_of_the_benchmark_is_of_something_that_explain_says() -> None:
    trials = tradeoffs.every_trial(quick=True)
    assert len(trials) > 30
    for trial in trials:
        assert tradeoffs.prediction(trial).value is not None, trial.name


def test_a_prediction_that_is_off_by_more_than_a_tenth_is_not_kept() -> None:
    value = Consequence("", "", "", 10.0, "", "")
    bound = value._replace(bound=True)
    assert tradeoffs.kept(10.9, value)
    assert not tradeoffs.kept(11.1, value)
    assert tradeoffs.kept(3.0, bound)
    assert not tradeoffs.kept(10.1, bound)
    assert not tradeoffs.kept(0.0, value._replace(value=None))
