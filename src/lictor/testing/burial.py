"""Freeing suspended coroutines without running them, as a process that is killed frees its stack.

Python closes a suspended coroutine or generator before it frees it: `GeneratorExit` is raised at its await, and its
`finally` blocks run. CPython does so once for an object and remembers that in a bit of the object's GC header, which
`gc.is_finalized` reads. Setting the bit beforehand means that nothing runs, and that no warning is printed either.
"""

from __future__ import annotations

import ctypes
import gc
import sys
import sysconfig
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import _GeneratorContextManagerBase
from types import AsyncGeneratorType, CoroutineType, GeneratorType, MethodType

_CODE = (CoroutineType, GeneratorType, AsyncGeneratorType)
_CONTAINERS = (list, tuple, set, frozenset, deque)

#: `PyGC_Head` of CPython with a GIL; it is the same from 3.9 to 3.14.
_HEADER_KNOWN = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")

#: What could not be marked. Kept for ever, so as not to be closed.
_KEPT: list[object] = []


def bury(roots: Iterable[object]) -> None:
    """Make sure that none of these coroutines, nor any that they hold in their frames, runs when it is freed.

    Found are those that they await, those in local variables, one container deep, and those behind `with` blocks.
    """
    seen: set[int] = set()
    stack = list(roots)
    while stack:
        thing = stack.pop()
        if id(thing) in seen:
            continue
        seen.add(id(thing))
        if isinstance(thing, _CODE):
            _mark(thing)
        stack.extend(_held(thing))


def _held(thing: object) -> Iterator[object]:
    """What may be a coroutine or lead to one, from a frame's variables and stack, a `with` block, or an awaitable."""
    if isinstance(thing, _CODE) or type(thing).__name__.startswith(("async_generator_", "coroutine_wrapper")):
        for referent in gc.get_referents(thing):
            if isinstance(referent, _CONTAINERS):
                yield from (item for item in referent if isinstance(item, _CODE))
            else:
                yield referent
    elif isinstance(thing, MethodType):
        yield thing.__self__  # a `with` block holds the bound `__exit__` of its manager
    elif isinstance(thing, _GeneratorContextManagerBase):
        yield thing.gen  # the generator below the decorator `contextmanager`


def _mark(code: object) -> None:
    """Set the lowest bit of the second word of the GC header, which lies just before the object."""
    if _HEADER_KNOWN:
        ctypes.c_size_t.from_address(id(code) - ctypes.sizeof(ctypes.c_size_t)).value |= 1
    if not gc.is_finalized(code):
        _KEPT.append(code)
