"""A short run of the campaign: real processes, really killed, at moments that a seed draws."""

import asyncio
from pathlib import Path

from tests.chaos.campaign import Campaign


def test_what_was_acknowledged_survives_kill_9_and_no_effect_is_doubled(tmp_path: Path) -> None:
    """Three accounts agree after six kills, and the run really did something."""
    figures = asyncio.run(Campaign(tmp_path, seed=7).run(kills=6))
    assert figures["problems"] == []
    assert figures["kills"] == 6
    assert int(str(figures["acknowledged"])) > 100
    assert int(str(figures["outcomes"])) > 50
