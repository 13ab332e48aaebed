"""What follows from settings: formulas alone, so that a benchmark can hold measured runs against them.

Sources: research on overload, sections 3 and 5; the bound of extra work and its condition of escape are section 1.4's.
"""

from __future__ import annotations

from dataclasses import dataclass

from lictor.capacity.extra_work import EXTRA_PER_ROOT_MAX
from lictor.capacity.lease import Terms, consequences
from lictor.config import Settings
from lictor.declarations.declared import Declared
from lictor.declarations.effectors import Effector

from .calibration import Calibration
from .consequence import AUTONOMY, COST, SPEED, Consequence


@dataclass(frozen=True, slots=True)
class Assumed:
    """What the settings do not say."""

    #: Offered load in multiples of capacity, and the share of attempts that fail by chance.
    load: float = 2.0
    fails: float = 0.01
    #: A fleet that shares a limit: how many nodes, on what terms, how much each wants a second, how many are cut off.
    nodes: int = 1
    terms: Terms | None = None
    want_per_s: float = 100.0
    cut_off: int = 1


def predict(
    app: Declared, settings: Settings, measured: Calibration | None = None, assumed: Assumed | None = None
) -> list[Consequence]:
    """All that follows, by trade-off."""
    assumed = assumed or Assumed()
    found = [
        *of_assurance(app, settings, measured),
        *of_durability(settings, measured),
        *of_freshness(app, assumed.load),
    ]
    found += of_fleet(settings, assumed)
    for effector in app.effectors.values():
        found += of_extra_work(effector, assumed.fails)
    return found + of_headroom(app, settings.headroom)


def deadline_s(app: Declared) -> float:
    """The longest time that a kind gives a decision."""
    return max((kind.expires_in_s for kind in app.kinds.values()), default=0.0)


def of_assurance(app: Declared, settings: Settings, measured: Calibration | None) -> list[Consequence]:
    """How long wrong things go on, and what it costs to look."""
    setting = f"assurance={settings.assurance}"
    effectors = app.effectors.values()
    askable = [effector.name for effector in effectors if effector.asks is not None]
    verified = settings.assurance == "verified"
    waits_ms = None if verified else 0.0
    waits = "the question itself comes on top" if verified else "no question is asked; verified asks one"
    if verified and measured is not None:
        waits_ms, waits = measured.verified_s * 1e3, f"measured here; {waits}"
    call_s = max((effector.timeout_s for effector in effectors), default=0.0)
    exposed_s, exposed = call_s, "the longest time-out: what runs when a policy is revoked is not cut off"
    if settings.assurance == "fast":
        exposed_s, exposed = deadline_s(app), "the longest deadline: what is admitted starts, until then"
    believed = 1.0
    why = "nobody asks" if askable else "nobody asks, and no effector declares reconcile"
    if verified:
        believed = 1.0 - len(askable) / len(app.effectors) if app.effectors else 0.0
        why = f"effectors without reconcile / all; asked about: {', '.join(askable) or 'none'}"
    return [
        Consequence(SPEED, setting, "an outcome comes later by", waits_ms, "ms", waits),
        Consequence(SPEED, setting, "a revoked policy acts for", exposed_s, "s", exposed, bound=True),
        Consequence(SPEED, setting, "false successes believed", believed, "of all", why),
    ]


def of_durability(settings: Settings, measured: Calibration | None) -> list[Consequence]:
    """What a crash may take, and what it costs that it may not."""
    setting = f"durability={settings.durability}"
    process = None if settings.durability == "memory" else 0.0
    power = 0.0 if settings.durability == "sync" else None
    whole = "all of it: the journal is not on disk"
    unsynced = {"memory": whole, "journal": "what the system had not yet written to disk", "sync": "synced before"}
    lost = "each was written before it was acknowledged" if process == 0.0 else whole
    found = [
        Consequence(SPEED, setting, "acknowledged and lost by a crash", process, "decisions", lost),
        Consequence(
            SPEED, setting, "acknowledged and lost by a power cut", power, "decisions", unsynced[settings.durability]
        ),
    ]
    if measured is not None:
        busy, idle = measured.busy_s, measured.idle_s
        others = ", ".join(f"{name} {busy[name] * 1e6:.0f}" for name in busy if name != settings.durability)
        cost = busy[settings.durability] * 1e6
        alone = idle[settings.durability] * 1e3
        found += [
            Consequence(SPEED, setting, "costs of many at once", cost, "us each", f"measured here; {others}"),
            Consequence(SPEED, setting, "a single one takes", alone, "ms", "measured here, with an effect of no time"),
        ]
    return found


def of_freshness(app: Declared, load: float) -> list[Consequence]:
    """What a deadline sheds under overload, so that nothing is done late."""
    found = []
    for kind in app.kinds.values():
        setting = f"{kind.name}: expires_in_s={kind.expires_in_s:g}"
        found.append(Consequence(SPEED, setting, "start when they are older", 0.0, "decisions", "I5"))
    shed = max(0.0, 1.0 - 1.0 / load)
    said = f"1 - 1/k at k = {load:g} times capacity"
    return [*found, Consequence(SPEED, "all kinds", "is shed under overload", shed, "of all", said)]


def of_fleet(settings: Settings, assumed: Assumed) -> list[Consequence]:
    """What sharing costs; nothing where there is one node."""
    if assumed.nodes == 1:
        return []
    window = settings.window_max
    lag = assumed.nodes * window
    found = [
        Consequence(
            AUTONOMY, f"nodes={assumed.nodes}", "fair order lags by", lag, "decisions", "nodes x window_max", bound=True
        )
    ]
    terms = assumed.terms
    if terms is None:
        return found
    told = consequences(terms, nodes=assumed.nodes, cut_off=assumed.cut_off, want_per_s=assumed.want_per_s)
    lease = f"lease={terms.chunk:g}, {terms.ttl_s:g} s"
    cut = f"on_disconnect={terms.on_disconnect}"
    own = f"what {assumed.cut_off} nodes that are cut off do by themselves"
    return [
        *found,
        Consequence(AUTONOMY, lease, "calls to the coordinator", told.calls_per_action, "an action", "1 / chunk"),
        Consequence(AUTONOMY, lease, "quota lies idle", told.stranded_max, "actions", "nodes x chunk", bound=True),
        Consequence(
            AUTONOMY, lease, "used beyond the limit", told.overshoot_max, "actions", "2 x nodes x chunk", bound=True
        ),
        Consequence(AUTONOMY, lease, "quota moves within", told.moves_within_s, "s", "the lease's time", bound=True),
        Consequence(AUTONOMY, cut, "beyond the limit while cut off", told.overshoot_per_s, "a second", own),
        Consequence(AUTONOMY, cut, "a node that is cut off cannot do", told.lost, "of its work", "1 - own / wanted"),
    ]


def of_extra_work(effector: Effector[..., object], fails: float) -> list[Consequence]:
    """What retries may cost, and what they gain."""
    share = effector.extra_work
    setting = f"{effector.name}: extra_work={share:g}"
    tries = EXTRA_PER_ROOT_MAX if share else 0
    wanted = fails / (1.0 - fails)
    enough = share >= wanted
    failed = fails ** (tries + 1) if enough else max(0.0, 1.0 - (1.0 - fails) * (1.0 + share))
    formula = f"p^{tries + 1} at p = {fails:g}" if enough else f"1 - (1 - p)(1 + b) at p = {fails:g}: it is spent"
    return [
        Consequence(COST, setting, "attempts for each decision", 1.0 + share, "", "1 + b, whatever fails", bound=True),
        Consequence(
            COST, setting, "recovers by itself below a load of", 1.0 / (1.0 + share), "of capacity", "1 / (1 + b)"
        ),
        Consequence(COST, setting, "fails in the end, by chance", failed, "of all", formula),
    ]


def of_headroom(app: Declared, headroom: float) -> list[Consequence]:
    """What is kept free, and how fast an outage is over."""
    setting = f"headroom={headroom:g}"
    drains_s = deadline_s(app) * (1.0 - headroom) / headroom if headroom else None
    formula = "D (1 - h) / h" if headroom else "as long as all of capacity is asked for: nothing is kept free"
    return [
        Consequence(COST, setting, "idle at any load", headroom, "of capacity", "h"),
        Consequence(COST, setting, "an outage is drained after", drains_s, "s", formula, bound=True),
    ]
