"""Layers that call each other do not multiply their extra work: the cap and the pool travel with the root decision."""

from dataclasses import dataclass

import pytest
from tests.rig import simulate

from lictor import App, EffectFailed, allow
from lictor.execution.extra_attempts import ExtraAttempts

SHARE = 0.05


@dataclass(frozen=True)
class Step:
    """One layer: `left` more are below it."""

    left: int
    root: int


def chain(rig, fails):
    """An App in which each layer submits the next and waits for it; the lowest fails as `fails()` says."""
    app = App("chain")
    app.decision(expires_in_s=600)(Step)
    app.gate(Step)(lambda step, state: allow())
    calls = {}

    async def perform(call, left, root):
        calls[left] = calls.get(left, 0) + 1
        await rig.clock.sleep(0.01)
        if not left:
            if fails():
                raise EffectFailed("busy", retry=True)
            return
        handle = await rig.node.submit(Step(left - 1, root), parent=call.decision)
        outcome = await handle.outcome()
        if outcome is None or outcome.result != "succeeded":
            raise EffectFailed("the layer below failed", retry=True)

    for layer in range(5):
        options = {"extra_work": SHARE, "retry_base_s": 0.02, "nests": 4 - layer}
        app.effector(idempotent=True, timeout_s=60, slots=16, name=f"layer{layer}", **options)(perform)
    app.plan(Step)(lambda step: app.effectors[f"layer{4 - step.left}"].action(step.left, step.root))
    return app, calls


def attempts_of(layers: int, chance: float, count: int = 300) -> tuple[float, float]:
    """Attempts of the lowest layer, and of all, over what they would be without extra work."""

    async def main(rig):
        draw = rig.loop.streams.of("world").random
        app, calls = chain(rig, lambda: draw() < chance)
        await rig.start(app)
        for first in range(0, count, 10):
            handles = [await rig.submit(Step(layers - 1, n)) for n in range(first, first + 10)]
            for handle in handles:
                await rig.on(handle.outcome())
        return calls[0] / count, sum(calls.values()) / (count * layers)

    return simulate(main)


@pytest.mark.parametrize("layers", [1, 3, 5])
@pytest.mark.parametrize("chance", [0.3, 1.0])
def test_extra_attempts_stay_within_the_share_from_end_to_end(layers, chance):
    lowest, all_ = attempts_of(layers, chance)
    assert lowest <= 1 + SHARE
    assert all_ <= 1 + SHARE


def test_with_a_pool_for_each_layer_alone_they_multiply(monkeypatch):
    monkeypatch.setattr(ExtraAttempts, "nested", lambda self, work: None)
    lowest, _ = attempts_of(5, 0.3)
    assert lowest > 1 + SHARE
