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
            from lictor.desks.agents.demo.run import main
        except ModuleNotFoundError as missing:
            raise SystemExit(f"{missing.name} is not installed: pip install 'lictor[mcp]'") from missing
        return main(options)


desk = Desk("agent", "an agent with governed tools spends, overspends, asks, is killed, and pays nothing twice")
