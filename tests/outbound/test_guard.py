from ipaddress import ip_address

import pytest

from lictor.errors import BlockedError, DeclarationError
from lictor.outbound import Guard
from lictor.outbound.address import literal, special

INSIDE = """
    0.0.0.0 0.1.2.3 10.0.0.1 100.64.0.1 100.100.100.200 127.0.0.1 127.255.255.254 168.63.129.16 169.254.169.254
    172.16.0.1 172.31.255.255 192.0.0.192 192.0.2.1 192.88.99.1 192.168.1.1 198.18.0.1 198.19.255.255 198.51.100.7
    203.0.113.9 224.0.0.1 239.255.255.255 240.0.0.1 255.255.255.255
    :: ::1 ::127.0.0.1 ::ffff:127.0.0.1 ::ffff:8.8.8.8 ::ffff:0:127.0.0.1 64:ff9b::7f00:1 64:ff9b::808:808 64:ff9b:1::1
    100::1 2001::1 2001:10::1 2001:db8::1 2002:7f00:1::1 2002:808:808::1 3fff::1 4000::1 5f00::1 fc00::1 fd00:ec2::254
    fe80::1 fec0::1 ff02::1 2600:1f00::5efe:a00:1 2600:1f00::200:5efe:a00:1
""".split()  # noqa: SIM905 - forty short words
OUTSIDE = """
    1.1.1.1 8.8.8.8 9.255.255.255 11.0.0.0 100.63.255.255 100.128.0.0 126.255.255.255 128.0.0.0 169.253.255.255
    172.15.255.255 172.32.0.0 192.167.255.255 192.169.0.0 198.17.255.255 198.20.0.0 223.255.255.255
    2606:4700:4700::1111 2a00:1450::1 2001:4860:4860::8888
""".split()  # noqa: SIM905 - forty short words


@pytest.mark.parametrize("address", INSIDE)
def test_an_address_inside_is_refused(address):
    assert special(ip_address(address)) is not None
    with pytest.raises(BlockedError):
        Guard().check_address("rebound.example.com", ip_address(address), 443)


@pytest.mark.parametrize("address", OUTSIDE)
def test_an_address_outside_is_open(address):
    Guard().check_address("example.com", ip_address(address), 443)


@pytest.mark.parametrize(
    "host", ["2130706433", "0x7f000001", "0x7f.1", "017700000001", "0177.0.0.1", "127.1", "127.0.1", "0x7f.0.0.0x1",
             "1.2.3.4.5", "256.0.0.1", "::1%eth0", "0xA9FEA9FE"]
)  # fmt: skip
def test_an_address_in_another_spelling_is_refused(host):
    with pytest.raises(BlockedError):
        Guard(allow=("0.0.0.0/0", "::/0")).check_host(host, 80)


def test_names_are_no_spelling_of_an_address():
    for name in ("example.com", "127.0.0.1.example.com", "a1", "xn--bcher-kva.example", "0x7f.example"):
        assert literal(name) is None


def test_only_the_usual_ports_are_open():
    for port in (80, 443):
        Guard().check_host("example.com", port)
    for port in (22, 25, 6379, 8080, 11211, 65535):
        with pytest.raises(BlockedError, match="port"):
            Guard().check_host("example.com", port)
        with pytest.raises(BlockedError, match="port"):
            Guard().check_address("example.com", ip_address("1.1.1.1"), port)


def test_an_allowed_host_may_be_inside_at_its_port_alone():
    guard = Guard(allow=("billing.internal:8443", ".corp.example"))
    guard.check_host("billing.internal", 8443)
    guard.check_address("Billing.Internal.", ip_address("10.1.2.3"), 8443)
    guard.check_address("a.corp.example", ip_address("127.0.0.1"), 80)
    for host, address, port in (
        ("billing.internal", "10.1.2.3", 8444),
        ("billing.internal", "10.1.2.3", 443),
        ("other.internal", "10.1.2.3", 8443),
        ("corp.example", "10.1.2.3", 443),
        ("evilcorp.example", "10.1.2.3", 443),
        ("billing.internal.evil.example", "10.1.2.3", 8443),
    ):
        with pytest.raises(BlockedError):
            guard.check_address(host, ip_address(address), port)


@pytest.mark.parametrize("address", ["169.254.169.254", "fe80::1", "224.0.0.1", "::ffff:127.0.0.1", "0.0.0.0"])
def test_an_allowed_name_that_leads_to_metadata_is_refused(address):
    with pytest.raises(BlockedError):
        Guard(allow=("billing.internal",)).check_address("billing.internal", ip_address(address), 80)


def test_an_allowed_network_is_open_even_where_metadata_is():
    guard = Guard(allow=("10.1.0.0/16", "169.254.169.254", "[fd00::1]:8080"))
    guard.check_address("anything.example", ip_address("10.1.255.1"), 443)
    guard.check_address("169.254.169.254", ip_address("169.254.169.254"), 80)
    guard.check_host("[fd00::1]", 8080)
    for host, port in (("10.2.0.1", 443), ("[fd00::1]", 80), ("[fd00::2]", 8080), ("10.1.0.1", 22)):
        with pytest.raises(BlockedError):
            guard.check_host(host, port)


def test_with_only_nothing_else_is_open():
    guard = Guard(allow=("api.example.com",), only=True)
    guard.check_address("api.example.com", ip_address("1.1.1.1"), 443)
    with pytest.raises(BlockedError):
        guard.check_host("example.org", 443)
    with pytest.raises(BlockedError):
        guard.check_address("example.org", ip_address("1.1.1.1"), 443)


@pytest.mark.parametrize(
    "entry", ["", ".", "10.0.0.0/40", "10.0.0.1/8", "a b", "host:0", "host:x", "host:99999", "http://a"]
)
def test_an_entry_that_says_nothing_is_refused(entry):
    with pytest.raises(DeclarationError):
        Guard(allow=(entry,))
    with pytest.raises(DeclarationError):
        Guard(allow="billing.internal")
