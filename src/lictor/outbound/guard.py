"""The guard of all calls out: where they may go. Without an allow-list that is the public internet, at its usual ports.

A name is no proof of where it leads, so the guard is asked twice: about the host and port before the name is looked
up, and about each address that it has. Who connects uses the addresses that were checked and looks nothing up again.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from ipaddress import ip_network

from lictor.errors import BlockedError, DeclarationError

from .address import NEVER_BY_NAME, Address, Network, literal, special

#: Ports of the schemes that are spoken.
PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class Allowed:
    """One entry of an allow-list: a host, all hosts below a domain, or a network; at one port or the usual ones."""

    host: str | None
    network: Network | None
    port: int | None

    def fits(self, host: str, address: Address | None, port: int) -> bool:
        """Whether it is about this host or address, and this port."""
        if port not in (PORTS.values() if self.port is None else (self.port,)):
            return False
        if self.network is not None:
            return address is not None and address.version == self.network.version and address in self.network
        name = self.host or ""
        return host.endswith(name) if name.startswith(".") else host == name

    def opens(self, address: Address) -> bool:
        """Whether what it is about may be at this address."""
        return self.network is not None or special(address) not in NEVER_BY_NAME


@dataclass(frozen=True, slots=True)
class Guard:
    """Where calls may go.

    `allow` opens what is closed otherwise, private networks and other ports: `"billing.internal"`,
    `"billing.internal:8443"`, `".example.com"` (all below it), `"10.1.0.0/16"`, `"[fd00::1]:8080"`. With `only` nothing
    else is open, the public internet neither. Link-local addresses, where clouds keep their metadata, are opened by
    naming the network alone, never by a name that leads there.

    Raises:
        DeclarationError: an entry is none of these.
    """

    allow: tuple[str, ...] = ()
    only: bool = False
    _allowed: tuple[Allowed, ...] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        if not isinstance(self.allow, tuple):
            raise DeclarationError(f"allow={self.allow!r}", hint="a tuple of hosts and networks")
        object.__setattr__(self, "_allowed", tuple(_entry(text) for text in self.allow))

    def check_host(self, host: str, port: int) -> None:
        """Before a name is looked up.

        Raises:
            BlockedError: no call may go there, wherever it leads.
        """
        host = _bare(host)
        try:
            address = literal(host)
        except ValueError as error:
            raise BlockedError(str(error), hint="write it as 192.0.2.1") from None
        if address is not None:
            self.check_address(host, address, port)
        elif self.names(host, port):
            return
        elif self.only and not any(entry.network is not None for entry in self._allowed):
            raise BlockedError(f"{host}:{port} is not on the allow-list")
        elif port not in PORTS.values() and not any(entry.port == port for entry in self._allowed):
            raise BlockedError(f"port {port} of {host} is not open", hint=f'allow "{host}:{port}"')

    def check_address(self, host: str, address: Address, port: int) -> None:
        """An address of a host, before it is connected to.

        Raises:
            BlockedError: no call may go there.
        """
        host = _bare(host)
        if any(entry.fits(host, address, port) and entry.opens(address) for entry in self._allowed):
            return
        if self.only:
            raise BlockedError(f"{host}:{port} at {address} is not on the allow-list")
        if (what := special(address)) is not None:
            raise BlockedError(
                f"{host} is at {address}, which is {what}", hint="allow the host or its network, if meant"
            )
        if port not in PORTS.values():
            raise BlockedError(f"port {port} of {host} is not open", hint=f'allow "{host}:{port}"')

    def opens(self, host: str, port: int) -> bool:
        """Whether the allow-list names this host, or the network of an address."""
        try:
            address = literal(_bare(host))
        except ValueError:
            return False
        return self.names(host, port) or any(entry.fits(_bare(host), address, port) for entry in self._allowed)

    def names(self, host: str, port: int) -> bool:
        """Whether the allow-list names this host."""
        host = _bare(host)
        return any(entry.network is None and entry.fits(host, None, port) for entry in self._allowed)


def _bare(host: str) -> str:
    return host.strip("[]").rstrip(".").lower()


def _entry(text: str) -> Allowed:
    """One entry of an allow-list."""
    where, port = _split(text)
    try:
        if "/" in where or (address := literal(where)) is not None:
            return Allowed(None, ip_network(where if "/" in where else address), port)  # type: ignore[arg-type]
    except ValueError as error:
        raise DeclarationError(f"allow {text!r}: {error}") from None
    if not where.strip(".") or not all(letter.isalnum() or letter in "-._" for letter in where):
        raise DeclarationError(f"allow {text!r}: no host or network", hint="billing.internal:8443, or 10.1.0.0/16")
    return Allowed(where.rstrip(".").lower(), None, port)


def _split(text: str) -> tuple[str, int | None]:
    """The host or network of an entry, and its port."""
    if text.startswith("["):
        where, _, port = text[1:].partition("]")
        port = port.removeprefix(":")
    elif text.count(":") == 1:
        where, _, port = text.partition(":")
    else:
        where, port = text, ""
    if port and not (port.isascii() and port.isdigit() and 0 < int(port) < 1 << 16):
        raise DeclarationError(f"allow {text!r}: {port!r} is no port")
    return where, int(port) if port else None
