"""What is submitted."""

from __future__ import annotations

from typing import Any, Literal

import msgspec

Class = Literal["urgent", "high", "normal", "low"]


class Signal(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One decision as its source sends it.

    `payload` is the content of its kind: a dict, a dataclass or a struct. `key` is its identity: with one it may be
    sent any number of times and is done once. `source` and `tenant` choose among those that the API key is for.
    """

    kind: str
    payload: Any
    key: str | None = None
    source: str | None = None
    tenant: str | None = None
    version: int | None = None
    priority: Class | None = None
    expires_in_s: float | None = None
    deadline_us: int | None = None
    not_before_us: int | None = None
    confidence: float | None = None
    expects: dict[str, Any] | None = None
    parent: str | None = None
    supersedes: str | None = None
    sent_us: int | None = None


#: Decimals as text, sets and the like as what is nearest.
encode = msgspec.json.Encoder(decimal_format="string", enc_hook=str).encode
