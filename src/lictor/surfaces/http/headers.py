"""The headers of a request: read by name, each decoded when it is asked for."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

Raw = list[tuple[bytes, bytes]]
#: Headers that mean something else when they come twice, so they may not.
_ONCE = frozenset({b"authorization", b"content-type", b"content-length", b"idempotency-key", b"host"})


class Headers(Mapping[str, str]):
    """Names are lower case. Of those that came twice, the last."""

    __slots__ = ("raw",)

    def __init__(self, pairs: Raw) -> None:
        self.raw = dict(pairs)

    def __getitem__(self, name: str) -> str:
        return self.raw[name.encode()].decode("latin-1")

    def get(self, name: str, default: str | None = None) -> str | None:  # type: ignore[override]
        """The value of a header."""
        value = self.raw.get(name.encode())
        return default if value is None else value.decode("latin-1")

    def __iter__(self) -> Iterator[str]:
        return (name.decode("latin-1") for name in self.raw)

    def __len__(self) -> int:
        return len(self.raw)

    def cookies(self) -> dict[str, str]:
        """The cookies that came; the first of each name."""
        found: dict[str, str] = {}
        for part in self.raw.get(b"cookie", b"").decode("latin-1").split(";"):
            name, given, value = part.strip().partition("=")
            if given and name not in found:
                found[name] = value.strip().strip('"')
        return found


def doubled(pairs: Raw) -> bytes | None:
    """A header that came twice and may not; None where there is none."""
    seen = set()
    for name, _ in pairs:
        if name in _ONCE and name in seen:
            return name
        seen.add(name)
    return None


def media_of(given: bytes | None) -> str | None:
    """The type of content that a header names, without its parameters."""
    if given == b"application/json":
        return "application/json"
    return None if given is None else given.decode("latin-1").partition(";")[0].strip().lower()
