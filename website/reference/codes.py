"""Codes of refusals and of errors."""

from __future__ import annotations

import inspect

from lictor import errors
from website.reference.comments import documented
from website.reference.tables import table


def page() -> str:
    """Every code that the engine itself gives."""
    said = documented(errors.Code)
    codes = [(f"`{code}` {{ #{code.lower()} }}", said[code.name]) for code in errors.Code]
    raised = [
        (f"`{made.code}`", f"`{name}`", (inspect.getdoc(made) or "").split("\n")[0])
        for name, made in vars(errors).items()
        if inspect.isclass(made) and issubclass(made, errors.LictorError)
    ]
    return f"""# Codes

Every refusal, shed, failure and expiry has a code. Gates add codes of their own: the word that they give to `deny` or
`hold`. `lictor show` says with each code what was seen.

## Why the engine refused, shed, failed or expired something

{table(("code", "what it says"), codes)}

## Errors

Refusals are answers and are not raised. These are raised; each carries `code`, `message` and `hint`.

{table(("code", "class", "what it says"), raised)}"""
