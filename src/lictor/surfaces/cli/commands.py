"""All commands by name, in the groups that `lictor --help` shows; and the one place that turns errors into exits."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from importlib.metadata import version
from itertools import count

from cyclopts import App, CycloptsError, Group

from lictor.errors import LictorError

from . import auditing, files, keys, looking, mcp, measuring, proving, quarantine, running, standing, steering, top
from .output import Exit, coded, defect, fail

RUN = Group("Run and decide", sort_key=1)
LOOK = Group("Look", sort_key=2)
STEER = Group("Steer", sort_key=3)
FILES = Group("Journals", sort_key=4)
PROVE = Group("Rehearse and prove", sort_key=5)

#: Commands are listed in the order in which they are declared.
_ORDER = count(1)

ABOUT = """Carry out what has been decided: nothing else, and nothing before it was decided.

Declare in Python what may be decided, what checks it, what it may use, what performs it. Then:

  lictor run payouts:app            run a node on the journal lictor.db
  lictor submit Payout '{"account": "a-17", "amount": 250}' --key inv-991
  lictor show inv-991               why it was allowed, and what came of it
  lictor rehearse payouts:app       what today's rules would have said

Commands reach a running node through the socket beside its journal; without one they read the file.
"""


def build() -> App:
    """All commands."""
    app = App(
        name="lictor",
        help=ABOUT,
        version=f"lictor {version('lictor')}",
        help_format="plaintext",
        group_commands=Group("Other", sort_key=99),
        result_action="return_int_as_exit_code_else_zero",
    )
    for group, functions in (
        (RUN, (running.run, running.submit, mcp.mcp, running.demo)),
        (LOOK, (looking.list_, looking.show, looking.limits, looking.outcomes, looking.health, looking.metrics)),
        (LOOK, (measuring.quality, top.top)),
        (STEER, (steering.approve, steering.deny, steering.cancel, steering.resolve, steering.halt, steering.resume)),
        (FILES, (files.verify, files.backup, files.restore, files.export)),
        (PROVE, (proving.rehearse, measuring.explain, proving.report)),
    ):
        for function in functions:
            app.command(function, name=function.__name__.rstrip("_"), group=group, sort_key=next(_ORDER))
    limit = App(name="limit", help="Set the limit of a balance.", group=STEER, sort_key=next(_ORDER))
    limit.command(steering.limit_set, name="set")
    app.command(limit)
    kept = App(name="quarantine", help="List, show, replay or discard signals that were kept aside.", group=STEER)
    for judge in (quarantine.list_, quarantine.show_, quarantine.replay_, quarantine.discard_):
        kept.command(judge, name=judge.__name__.rstrip("_"))
    app.command(kept)
    stands = App(name="standing", help="List or withdraw the approvals that stand for the next ones.", group=STEER)
    for look in (standing.list_, standing.withdraw):
        stands.command(look, name=look.__name__.rstrip("_"))
    app.command(stands)
    held = App(name="keys", help="Make, list, rotate or revoke the API keys of a journal.", group=STEER)
    for handle in (keys.make, keys.list_, keys.rotate, keys.revoke):
        held.command(handle, name=handle.__name__.rstrip("_"))
    app.command(held)
    proved = App(name="audit", help="Prove a history: keys, checkpoints, exports, proofs of decisions.", group=PROVE)
    for prove in (auditing.key, auditing.rotate, auditing.checkpoints, auditing.export, auditing.prove):
        proved.command(prove, name=prove.__name__)
    app.command(proved)
    return app


def main(arguments: Sequence[str] | None = None) -> None:
    """Run a command and exit with its code."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    sys.exit(run(given))


def run(given: list[str]) -> int:
    """Run a command; its exit code."""
    as_json = "--json" in given
    try:
        if given[:1] == ["demo"] and given[1:] and not given[1].startswith("-"):
            return running.demo(*given[1:])  # what follows is the desk's own, --help included
        return int(build()(given, exit_on_error=False, print_error=False, help_on_error=False))
    except CycloptsError as error:
        command = " ".join(error.command_chain or ())
        return fail(coded("USAGE", str(error), f"lictor {command} --help".replace("  ", " ")), as_json=as_json)
    except LictorError as error:
        return fail(error, as_json=as_json)
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:  # whoever read our output has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return Exit.DONE
    except Exception as error:
        if os.environ.get("LICTOR_TRACEBACK"):
            raise
        return defect(error, as_json=as_json)
