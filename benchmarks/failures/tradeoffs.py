"""The three trade-offs: what `lictor explain` predicts of each setting, made before, against what comes of it.

    python -m benchmarks.failures tradeoffs

Virtual time, the real node (`tests/rig.py`) or the real lending policy, one run for each seed. Predicted is from the
settings alone, by `lictor.explain.prediction`; a prediction holds where measured and predicted are within 10 %, and a
bound where what is measured is at most it.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from benchmarks.failures import tradeoff_runs as runs
from benchmarks.failures.intervals import median_interval
from benchmarks.failures.lending import Case
from benchmarks.failures.part import Findings, Settings, Table, findings
from lictor.capacity.lease import Terms
from lictor.config import Settings as NodeSettings
from lictor.explain.consequence import Consequence
from lictor.explain.prediction import Assumed, predict

#: How near is near, and what is nothing where nothing is predicted.
WITHIN, NOTHING = 0.10, 1e-9
NODES, LIMIT_PER_S, CUT_OFF = 8, 800.0, 3


class Trial(NamedTuple):
    """One consequence: what to look for in the prediction, under which settings, and how it is measured."""

    #: The name of the figure.
    name: str
    what: str
    settings: NodeSettings
    measure: Callable[[int], float]
    assumed: Assumed = Assumed()
    #: Of which effector's or kind's setting, where there are more.
    setting: str = ""
    app: runs.Shape = runs.Shape()


def run(settings: Settings) -> Findings:
    """Predict all, then measure all."""
    found = findings("tradeoffs", "virtual", settings)
    logging.getLogger("lictor").setLevel(logging.CRITICAL)  # nodes are overloaded on purpose, and say so
    trials = every_trial(quick=settings.quick)
    predicted = [prediction(trial) for trial in trials]  # before anything is measured
    rows: list[list[float | str | None]] = []
    for trial, told in zip(trials, predicted, strict=True):
        values = [trial.measure(seed) for seed in settings.every_seed()]
        middle, spread = median_interval(values)
        holds = all(kept(value, told) for value in values) if told.bound else kept(middle, told)
        unit = f"{told.unit or 'times'}; {'at most' if told.bound else 'predicted'} {told.value:.4g}"
        found.show(f"explain: {trial.name}", round(middle, 6), unit, told.value, met=holds, interval=spread)
        rows.append([told.trade_off, trial.name, told.value, middle, told.formula, "bound" if told.bound else "value"])
        settings.tell(f"tradeoffs: {trial.name}: predicted {told.value:.4g}, measured {middle:.4g}")
    columns = ["trade-off", "consequence", "predicted", "measured", "formula", "a"]
    about = "Predicted from the settings before any run; a value holds within 10 %, a bound in every run."
    found.tables.append(Table(heading="Trade-offs: predicted and measured", columns=columns, rows=rows, text=about))
    return found


def prediction(trial: Trial) -> Consequence:
    """What `lictor explain` says of it."""
    told = predict(runs.declared(trial.app), trial.settings, None, trial.assumed)
    return next(one for one in told if one.what == trial.what and one.setting.startswith(trial.setting))


def kept(value: float, told: Consequence) -> bool:
    """Whether what was measured is as it was predicted."""
    if told.value is None:
        return False
    if told.bound:
        return value <= told.value * (1.0 + NOTHING) + NOTHING
    return abs(value - told.value) <= max(WITHIN * abs(told.value), NOTHING)


def every_trial(*, quick: bool) -> list[Trial]:
    """All of them."""
    scale = 0.25 if quick else 1.0
    return [*of_assurance(), *of_freshness(scale), *of_lending(scale), *of_extra_work(scale), *of_headroom(scale)]


def of_assurance() -> list[Trial]:
    """How long a revoked policy acts, and what is believed."""
    acts, believed = "a revoked policy acts for", "false successes believed"
    trials = []
    for word in ("fast", "checked", "verified"):
        node = NodeSettings(assurance=word)
        measure = partial(runs.revoked_s, word)
        name = f"assurance={word}, seconds that a revoked policy acts"
        trials.append(Trial(name, acts, node, measure, app=runs.QUEUED))
        name = f"assurance={word}, share of false successes believed"
        trials.append(Trial(name, believed, node, partial(runs.believed, word)))
    return trials


def of_freshness(scale: float) -> list[Trial]:
    """What a deadline sheds, and that nothing starts past it."""
    found = []
    for load in (2.0, 4.0, 10.0):
        measure = partial(runs.shed, load, 20.0 * scale)
        name, assumed = f"freshness, shed at {load:g} times capacity", Assumed(load=load)
        found.append(Trial(name, "is shed under overload", NodeSettings(), measure, assumed))
    older = "start when they are older"
    return [
        *found,
        Trial("freshness, starts past the deadline", older, NodeSettings(), partial(runs.stale, 20.0 * scale)),
    ]


def of_lending(scale: float) -> list[Trial]:
    """A limit that eight nodes share, at half and at twice of what it gives, and with three of them cut off."""
    found = []
    seconds = 40.0 * scale
    for chunk in (1.0, 8.0, 32.0):
        terms = Terms(chunk, 5.0)
        assumed = Assumed(nodes=NODES, terms=terms, want_per_s=50.0)
        calm = partial(runs.lending, Case(terms, LIMIT_PER_S, (50.0,) * NODES, seconds))
        pressed = partial(runs.lending, Case(terms, LIMIT_PER_S, (200.0,) * NODES, seconds))
        node, name = NodeSettings(), f"lease, chunk {chunk:g}"
        found += [
            Trial(
                f"{name}, calls an action", "calls to the coordinator", node, partial(calm, "calls_per_action"), assumed
            ),
            Trial(f"{name}, stranded", "quota lies idle", node, partial(pressed, "stranded_max"), assumed),
            Trial(f"{name}, overshoot", "used beyond the limit", node, partial(pressed, "overshoot_max"), assumed),
        ]
    for word in ("halt", "safe", "continue"):
        terms = Terms(8.0, 2.0, word, safe_per_s=25.0)
        assumed = Assumed(nodes=NODES, terms=terms, want_per_s=50.0, cut_off=CUT_OFF)
        full = (50.0,) * CUT_OFF + (2 * LIMIT_PER_S / 5,) * (NODES - CUT_OFF)
        cut = frozenset(range(CUT_OFF))
        case = Case(terms, LIMIT_PER_S, (50.0,) * NODES, 320.0, cut=cut, cut_from_s=120.0, wants_cut=full)
        measure, name, node = partial(runs.lending, case), f"on_disconnect={word}", NodeSettings()
        lost, over = "a node that is cut off cannot do", "beyond the limit while cut off"
        found += [
            Trial(f"{name}, lost", lost, node, partial(measure, "lost"), assumed),
            Trial(f"{name}, beyond the limit a second", over, node, partial(measure, "overshoot_per_s"), assumed),
        ]
    return found


def of_extra_work(scale: float) -> list[Trial]:
    """What retries cost in a total outage, and what they gain while failures are chance."""
    found = []
    for share in (0.05, 0.2):
        shape = runs.Shape(extra_work=share)
        measure = partial(runs.attempts, shape, int(2_000 * scale))
        name = f"extra_work={share:g}, attempts a decision in an outage"
        found.append(Trial(name, "attempts for each decision", NodeSettings(), measure, app=shape))
    for share, fails in ((1.0, 0.25), (0.05, 0.2)):
        shape = runs.Shape(extra_work=share)
        measure = partial(runs.failed, shape, fails, int(8_000 * scale))
        name, assumed = f"extra_work={share:g}, fails at p = {fails:g}", Assumed(fails=fails)
        found.append(Trial(name, "fails in the end, by chance", NodeSettings(), measure, assumed, app=shape))
    return found


def of_headroom(scale: float) -> list[Trial]:
    """What is idle, and how long an outage lasts beyond its end."""
    found = []
    for share in (0.1, 0.2, 0.5):
        node = NodeSettings(headroom=share)
        name = f"headroom={share:g}"
        idle, drained = partial(runs.idle, share, 30.0 * scale), partial(runs.drained_s, share)
        found.append(Trial(f"{name}, idle", "idle at any load", node, idle))
        found.append(Trial(f"{name}, drained after", "an outage is drained after", node, drained))
    return found
