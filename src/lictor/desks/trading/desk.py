"""What the command line knows of this desk: its name, one sentence, and its demo."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Desk:
    """A ready-made application that the command line finds by its entry point."""

    name: str
    summary: str

    def demo(self, options: Sequence[str] = ()) -> int:
        """Run the demo; `options` are its command-line arguments. Returns the exit code."""
        try:
            from lictor.desks.trading.demo.options import parsed
            from lictor.desks.trading.demo.run import main
        except ModuleNotFoundError as missing:
            raise SystemExit(f"{missing.name} is not installed: pip install 'lictor[trading]'") from missing
        return main(parsed(options))


desk = Desk("trading", "trades a real order-by-order capture against a matching engine over FIX 4.4")
