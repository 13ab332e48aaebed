"""Freeing suspended coroutines without running them, as a process that is killed frees its stack.

Python closes a suspended coroutine or generator before it frees it: `GeneratorExit` is raised at its await, and its
`finally` blocks run. CPython does so once for an object and remembers that in a bit of the object's GC header, which
`gc.is_finalized` reads. Setting the bit beforehand means that nothing runs, and that no warning is printed either.
"""

from __future__ import annotations

import asyncio
import ctypes
import gc
import sys
import sysconfig
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Iterable, Iterator
from contextlib import _GeneratorContextManagerBase
from types import AsyncGeneratorType, CoroutineType, GeneratorType, MethodType
from typing import cast

_CODE = (CoroutineType, GeneratorType, AsyncGeneratorType)
_CONTAINERS = (list, tuple, set, frozenset, deque)


async def _stream() -> AsyncIterator[None]:
    yield


def _awaitables() -> Iterator[type]:
    """The types that stand between a coroutine and what it awaits; `types` does not name them."""
    coro, stream = asyncio.sleep(0), cast("AsyncGenerator[None]", _stream())
    for awaitable in (coro.__await__(), stream.asend(None), stream.athrow(GeneratorExit)):
        yield type(awaitable)
        cast("Generator[None]", awaitable).close()


#: What may lead to a coroutine. A `with` block holds the bound `__exit__` of its manager.
_LEADS = (*_CODE, *_awaitables(), MethodType, _GeneratorContextManagerBase)

#: `PyGC_Head` of CPython with a GIL; it is the same from 3.9 to 3.14.
_HEADER_KNOWN = sys.implementation.name == "cpython" and not sysconfig.get_config_var("Py_GIL_DISABLED")

#: What could not be marked. Kept for ever, so as not to be closed.
_KEPT: list[object] = []


def bury(roots: Iterable[object]) -> None:
    """Make sure that none of these coroutines, nor any that they hold in their frames, runs when it is freed.

    Found are those that they await, those in local variables, one container deep, and those behind `with` blocks.
    """
    seen: set[int] = set()
    leads = [root for root in roots if isinstance(root, _LEADS)]
    while leads:
        lead = leads.pop()
        if id(lead) in seen:
            continue
        seen.add(id(lead))
        if isinstance(lead, _CODE):
            _mark(lead)
        if isinstance(lead, MethodType):
            held: list[object] = [lead.__self__]
        elif isinstance(lead, _GeneratorContextManagerBase):
            held = [lead.gen]
        else:
            held = gc.get_referents(lead)
            for container in [each for each in held if isinstance(each, _CONTAINERS)]:
                held.extend(container)
        leads.extend(each for each in held if isinstance(each, _LEADS))


def _mark(code: object) -> None:
    """Set the lowest bit of the second word of the GC header, which lies just before the object."""
    if _HEADER_KNOWN:
        ctypes.c_size_t.from_address(id(code) - ctypes.sizeof(ctypes.c_size_t)).value |= 1
    if not gc.is_finalized(code):
        _KEPT.append(code)
