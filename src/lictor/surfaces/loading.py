"""Finds an App by the name that people give it: `payouts:app`, `payouts`, `payouts.py`, `pkg.mod:make_app`.

Imports the user's module, from the current directory too; that is all it runs.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from collections.abc import Callable
from difflib import get_close_matches
from inspect import iscoroutinefunction, isroutine
from pathlib import Path
from types import ModuleType

from lictor.app import App
from lictor.errors import DeclarationError


def load(spec: str) -> App:
    """The App that is meant.

    Raises:
        DeclarationError: there is no such module or no such App, or the module fails; says what there is instead.
    """
    module_name, _, name = spec.partition(":")
    module = _module(module_name)
    apps = [attribute for attribute, value in vars(module).items() if isinstance(value, App)]
    if not name:
        if len(apps) != 1:
            there = f"it has {', '.join(apps)}" if apps else "it has none"
            raise DeclarationError(f"{module_name}: which App?", hint=f"{there}; say {module_name}:NAME")
        name = apps[0]
    found = getattr(module, name, None)
    if isroutine(found) and not iscoroutinefunction(found):
        found = _made(found, f"{module_name}:{name}")
    if isinstance(found, App):
        return found
    near = get_close_matches(name, apps, n=1) or apps
    hint = f"did you mean {module_name}:{near[0]}?" if near else "an App is made by lictor.App(...)"
    what = f"has no {name!r}" if found is None else f"{name!r} is a {type(found).__name__}, not an App"
    raise DeclarationError(f"{module_name} {what}", hint=hint)


def _made(make: Callable[[], object], spec: str) -> object:
    """What the user's function makes, which is called without arguments."""
    try:
        return make()
    except Exception as error:
        raise DeclarationError(f"{spec}() failed: {type(error).__name__}: {error}", hint=_place(error)) from error


def _module(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    if name.endswith(".py"):
        path = Path(name)
        if not path.is_file():
            raise DeclarationError(f"there is no file {name}", hint=_there_is())
        folder = str(path.resolve().parent)
        if folder not in sys.path:
            sys.path.insert(0, folder)
        name = path.stem
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise DeclarationError(f"there is no module {name!r} here", hint=_there_is(name)) from error
        raise DeclarationError(f"{name} cannot be imported: {error}", hint=_place(error)) from error
    except Exception as error:
        raise DeclarationError(
            f"{name} cannot be imported: {type(error).__name__}: {error}", hint=_place(error)
        ) from error


def _place(error: BaseException) -> str | None:
    """Where in the user's file it happened."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "importlib" not in f.filename]
    own = [f for f in frames if f.filename != __file__]
    return f"{own[-1].filename}:{own[-1].lineno}" if own else None


def _there_is(name: str = "") -> str:
    stems = sorted(path.stem for path in Path.cwd().glob("*.py"))
    near = get_close_matches(name, stems, n=1)
    if near:
        return f"did you mean {near[0]}?"
    return f"in {Path.cwd()} there are: {', '.join(stems[:8])}" if stems else f"{Path.cwd()} has no Python files"
