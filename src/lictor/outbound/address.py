"""Which addresses are the public internet, and which are somewhere that no call from inside should reach. Pure.

For IPv4 the special ranges are listed; for IPv6 only what is handed out to the public is let through, without the parts
of it that stand for something else (IPv4 behind 6to4 or Teredo, documentation).
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network

#: What an entry of an allow-list that names a host may still not open: only one that names the network does.
NEVER_BY_NAME = frozenset({"link-local", "metadata", "multicast", "unspecified", "reserved", "translated"})

_V4 = {
    "0.0.0.0/8": "unspecified",
    "10.0.0.0/8": "private",
    "100.64.0.0/10": "private",  # of carriers; and 100.100.100.200, a cloud's metadata
    "127.0.0.0/8": "loopback",
    "168.63.129.16/32": "metadata",  # a cloud's own services, at a public address
    "169.254.0.0/16": "link-local",  # and 169.254.169.254, the metadata of most clouds
    "172.16.0.0/12": "private",
    "192.0.0.0/24": "reserved",  # and 192.0.0.192, a cloud's metadata
    "192.0.2.0/24": "documentation",
    "192.31.196.0/24": "reserved",
    "192.52.193.0/24": "reserved",
    "192.88.99.0/24": "translated",
    "192.168.0.0/16": "private",
    "192.175.48.0/24": "reserved",
    "198.18.0.0/15": "private",
    "198.51.100.0/24": "documentation",
    "203.0.113.0/24": "documentation",
    "224.0.0.0/4": "multicast",
    "240.0.0.0/4": "reserved",
}
_V6 = {
    "::/128": "unspecified",
    "::1/128": "loopback",
    "::/96": "translated",  # IPv4-compatible
    "::ffff:0:0/96": "translated",  # IPv4-mapped
    "::ffff:0:0:0/96": "translated",  # IPv4-translated
    "64:ff9b::/96": "translated",  # NAT64
    "64:ff9b:1::/48": "translated",
    "2001::/32": "translated",  # Teredo
    "2001::/23": "reserved",
    "2001:db8::/32": "documentation",
    "2002::/16": "translated",  # 6to4
    "2620:4f:8000::/48": "reserved",
    "3fff::/20": "documentation",
    "fc00::/7": "private",  # and fd00:ec2::254, a cloud's metadata
    "fe80::/10": "link-local",
    "fec0::/10": "private",
    "ff00::/8": "multicast",
}
_SPECIAL: dict[Network, str] = {ip_network(text): what for text, what in (_V4 | _V6).items()}
_PUBLIC_V6 = ip_network("2000::/3")
#: Interface identifiers of ISATAP: an IPv4 address in the last 32 bits.
_ISATAP = (0x0000_5EFE, 0x0200_5EFE)


def special(address: Address) -> str | None:
    """What an address is where it is not the public internet; None where it is."""
    for network, what in _SPECIAL.items():
        if address.version == network.version and address in network:
            return what
    if isinstance(address, IPv4Address):
        return None
    if (int(address) >> 32) & 0xFFFF_FFFF in _ISATAP:
        return "translated"
    return None if address in _PUBLIC_V6 else "reserved"


def literal(host: str) -> Address | None:
    """The address that a host is written as; None for a name.

    Raises:
        ValueError: a spelling of an address that other parsers read otherwise: decimal, octal, hex, too few parts.
    """
    bare = host.strip("[]")
    if "%" in bare:
        raise ValueError(f"{host!r} is an address of one link only")
    try:
        return ip_address(bare)
    except ValueError:
        last = bare.rstrip(".").rpartition(".")[2].lower()
        if ":" in bare or last.isdigit() or last.startswith("0x"):
            raise ValueError(f"{host!r} is no address in its usual spelling") from None
        return None
