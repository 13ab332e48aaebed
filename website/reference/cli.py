"""Commands and their options."""

from __future__ import annotations

import re

from lictor.surfaces.cli.commands import build


def page() -> str:
    """What `lictor COMMAND --help` says, for every command."""
    made = build().generate_docs(output_format="markdown")
    # What `lictor --help` says first stands in the guide; the list of contents stands beside the page.
    contents = made.index("**", made.index("## Table of Contents"))
    text = re.sub(
        r"^#{1,6} lictor (.+)$",
        lambda found: f"## {found[1]} {{ #{_anchor(found[1])} }}",
        made[contents:],
        flags=re.MULTILINE,
    )
    text = re.sub(r"^```console$", "```text", text, flags=re.MULTILINE)
    text = re.sub(r"\(#lictor-([a-z-]+)\)", r"(#\1)", text)
    return f"""# Commands

Also said by `lictor --help` and `lictor COMMAND --help`. What they print: [The command line](../guides/cli.md).

{text}"""


def _anchor(command: str) -> str:
    return command.replace(" ", "-")
