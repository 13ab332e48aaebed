"""The server over real sockets: from a submit to its story, and what it refuses to do."""

from __future__ import annotations

import asyncio
import socket
import ssl
from datetime import UTC, datetime, timedelta

import httpx2
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from tests.surfaces.http.served import payouts, served

from lictor import DeclarationError, LictorError, Node, Settings
from lictor.surfaces.http.server import HttpServer, address_of, check_bind, listen, tls_of


def test_a_decision_is_submitted_and_looked_at() -> None:
    async def main():
        async with served() as http:
            made = await http.post(
                "/v1/decisions", json={"kind": "Payout", "payload": {"account": "a-17", "amount": 5}}
            )
            assert made.status_code == 202
            id_ = made.json()["id"]
            story = await http.get(f"/v1/decisions/{id_}")
            health = await http.get("/healthz", headers={"authorization": ""})
            return made.json(), story, health

    made, story, health = asyncio.run(main())
    assert made["verdict"]["result"] == "admitted"
    assert story.status_code == 200
    assert story.json()["entries"][0]["event"] == "received"
    assert health.json() == {"alive": True}


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "10.0.0.1", "example.org"])
def test_nobody_listens_beyond_this_machine_in_the_clear(host) -> None:
    with pytest.raises(DeclarationError, match="in the clear"):
        check_bind(host, tls=False, behind_proxy=None)
    check_bind(host, tls=True, behind_proxy=None)
    check_bind(host, tls=False, behind_proxy="10.0.0.9")


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "localhost", "127.9.9.9"])
def test_loopback_needs_no_tls(host) -> None:
    check_bind(host, tls=False, behind_proxy=None)


def test_it_is_served_by_tls(tmp_path) -> None:
    cert = tmp_path / "cert.pem"
    cert.write_bytes(self_signed("localhost"))

    async def main():
        trusted = ssl.create_default_context(cafile=str(cert))
        async with (
            Node(payouts(), settings=Settings(tune_collector=False)) as node,
            HttpServer(node, "127.0.0.1", 0, cert=cert, key=cert) as server,
            httpx2.AsyncClient(verify=trusted) as http,
        ):
            return await http.get(f"https://localhost:{server.port}/healthz"), server.url

    answer, url = asyncio.run(main())
    assert answer.status_code == 200
    assert answer.headers["strict-transport-security"]
    assert url.startswith("https://")


def test_files_that_are_no_certificate_are_named(tmp_path) -> None:
    (tmp_path / "cert.pem").write_text("nothing")
    with pytest.raises(DeclarationError, match="no certificate"):
        tls_of(tmp_path / "cert.pem", None)


def test_an_address_that_is_taken_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(LictorError, match="cannot be listened on"):
        listen("127.0.0.1", taken.getsockname()[1])


def self_signed(name: str) -> bytes:
    """A key and a certificate for a name, as PEM."""
    made = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = datetime.now(UTC)
    signed = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(made.public_key())
        .serial_number(7)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(made, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form, plain = serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    return made.private_bytes(pem, form, plain) + signed.public_bytes(pem)


def test_addresses() -> None:
    assert address_of("127.0.0.1:8700") == ("127.0.0.1", 8700)
    assert address_of(":9") == ("127.0.0.1", 9)
    assert address_of("[::1]:9") == ("::1", 9)
    for bad in ("", "x", "h:99999", "h:-1"):
        with pytest.raises(DeclarationError):
            address_of(bad)
