"""What a payload may be before anyone looks at what it says: its size, depth, numbers, keys and characters.

Decoders differ on each of these, so a payload that two readers could take for two things is kept out here.
"""

from __future__ import annotations

import re
from typing import Any

import msgspec

from .finding import Finding, Reason, found
from .numbers import oversized

#: Larger payloads are kept out; put the bulk elsewhere and name it.
PAYLOAD_BYTES_MAX = 1 << 20
#: Objects and arrays inside each other.
DEPTH_MAX = 32

#: Linear on well-formed text, and used on nothing else.
_STRINGS = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
#: Digits as zeros and everything else as blanks, in which a long number is found without looking at each place twice.
_ZEROS = bytes(ord("0" if chr(byte) in "0123456789" else " ") for byte in range(256))
_LONG = b"0" * 19
_OPENS = re.compile(rb"[\[{\]}]")
_decode = msgspec.json.Decoder().decode


def read(payload: bytes) -> tuple[Finding | None, Any]:
    """The content of JSON text as plain data; or why it is kept out, and None."""
    if len(payload) > PAYLOAD_BYTES_MAX:
        return found(Reason.SIZE, f"the payload has {len(payload)} bytes; at most {PAYLOAD_BYTES_MAX}"), None
    if not payload.isascii():
        try:
            payload.decode()
        except UnicodeDecodeError as error:
            return found(Reason.UNICODE, f"not UTF-8: {error.reason} at byte {error.start}"), None
    try:
        content = _decode(payload)
    except msgspec.ValidationError as error:
        return found(Reason.NUMBER, str(error)), None
    except msgspec.DecodeError as error:
        reason = Reason.UNICODE if "surrogate" in str(error) else Reason.JSON
        return found(reason, str(error)), None
    except RecursionError:
        return found(Reason.DEPTH, f"nested deeper than {DEPTH_MAX}"), None
    if (
        payload.count(b"[") + payload.count(b"{") <= DEPTH_MAX
        and payload.count(b":") == _keys(content)
        and _LONG not in payload.translate(_ZEROS)
    ):
        return None, content  # by far the most frequent: what its strings hold can only raise these counts
    bare = _STRINGS.sub(b"", payload)
    if bare.count(b"[") + bare.count(b"{") > DEPTH_MAX and (depth := _depth(bare)) > DEPTH_MAX:
        return found(Reason.DEPTH, f"nested {depth} deep; at most {DEPTH_MAX}"), None
    if bare.count(b":") != _keys(content):
        return found(Reason.DUPLICATE_KEY, "an object has the same key twice"), None
    if _LONG in bare.translate(_ZEROS) and (large := oversized(content)) is not None:
        return found(Reason.NUMBER, large), None
    return None, content


def _depth(bare: bytes) -> int:
    """How deep brackets are nested."""
    depth = deepest = 0
    for bracket in _OPENS.findall(bare):
        depth += 1 if bracket in b"[{" else -1
        deepest = max(deepest, depth)
    return deepest


def _keys(content: Any) -> int:
    """Keys of all objects in the content, which a decoder has made unique."""
    if type(content) is dict:
        if _NESTS.isdisjoint(map(type, content.values())):
            return len(content)
        return len(content) + sum(_keys(item) for item in content.values() if type(item) in _NESTS)
    if type(content) is list:
        return sum(_keys(item) for item in content if type(item) in _NESTS)
    return 0


_NESTS = frozenset({dict, list})
