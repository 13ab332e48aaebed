"""Signatures of webhooks: Standard Webhooks, both ways, and GitHub's, to be checked.

    webhook-id         who repeats a message repeats this
    webhook-timestamp  seconds; further away than the window is a replay, or a wrong clock
    webhook-signature  "v1,<base64 of HMAC-SHA256 over id.timestamp.body>", one for each secret in use

A secret is `whsec_` and base64, several of them apart by white space: while one is replaced, both are good.
"""

from __future__ import annotations

import hmac
from base64 import b64decode, b64encode
from binascii import Error as Base64Error
from collections.abc import Mapping, Sequence
from hashlib import sha256

from lictor.errors import SignatureError

PREFIX = "whsec_"
#: What Standard Webhooks asks of a secret, in bytes.
SECRET_BYTES_MIN = 24
#: How far a timestamp may be from now, both ways.
WINDOW_S = 300
#: Signatures of one message that are looked at.
SIGNATURES_MAX = 10
ID_MAX = 200


def secrets_of(text: str) -> tuple[bytes, ...]:
    """The keys in a secret, the first the one to sign with.

    Raises:
        SignatureError: one is no base64, or too short to be a secret.
    """
    keys = tuple(_key(part) for part in text.split())
    if not keys:
        raise SignatureError("no secret to sign with", hint=f"{PREFIX} and base64")
    return keys


def _key(part: str) -> bytes:
    bare = part.removeprefix(PREFIX).rstrip("=")
    try:
        key = b64decode(bare + "=" * (-len(bare) % 4), validate=True)
    except (Base64Error, ValueError):
        raise SignatureError("a signing secret is no base64", hint=f"{PREFIX} and base64") from None
    if len(key) < SECRET_BYTES_MIN:
        raise SignatureError(f"a signing secret has at least {SECRET_BYTES_MIN} bytes", hint=f"this one has {len(key)}")
    return key


def signed(keys: Sequence[bytes], id_: str, at_s: int, body: bytes) -> dict[str, str]:
    """The headers of a message that is sent: one signature for each key."""
    return {
        "webhook-id": id_,
        "webhook-timestamp": str(at_s),
        "webhook-signature": " ".join(f"v1,{b64encode(_mac(key, id_, str(at_s), body)).decode()}" for key in keys),
    }


def check_standard(keys: Sequence[bytes], headers: Mapping[str, str], body: bytes, now_s: float) -> str:
    """The id of a message that arrived, if one of the keys has signed it and it is from now.

    Raises:
        SignatureError: it is not.
    """
    id_, at, given = (headers.get(f"webhook-{name}") or "" for name in ("id", "timestamp", "signature"))
    if not id_ or len(id_) > ID_MAX or not given:
        raise SignatureError("it has no webhook-id or no webhook-signature")
    if not at.isascii() or not at.isdigit() or len(at) > len("9999999999"):
        raise SignatureError("its webhook-timestamp is no number of seconds")
    macs = [_mac(key, id_, at, body) for key in keys]
    good = False
    for part in given.split(" ")[:SIGNATURES_MAX]:
        version, _, text = part.partition(",")
        if version == "v1":
            for mac in macs:  # all of them, whichever fits, so that time tells nothing
                good |= hmac.compare_digest(b64encode(mac), text.encode())
    if not good:
        raise SignatureError("no key of ours has signed it")
    if abs(now_s - int(at)) > WINDOW_S:
        raise SignatureError(f"it was signed {now_s - int(at):.0f} s ago, {WINDOW_S} s may be")
    return id_


def check_github(keys: Sequence[bytes], headers: Mapping[str, str], body: bytes) -> str:
    """The id of a delivery of GitHub's, if one of the keys has signed its body: that alone, neither when nor the id.

    Raises:
        SignatureError: it is not.
    """
    id_, given = headers.get("x-github-delivery") or "", headers.get("x-hub-signature-256") or ""
    if not id_ or len(id_) > ID_MAX or not given:
        raise SignatureError("it has no x-github-delivery or no x-hub-signature-256")
    good = False
    for key in keys:
        good |= hmac.compare_digest(f"sha256={hmac.new(key, body, sha256).hexdigest()}".encode(), given.encode())
    if not good:
        raise SignatureError("no key of ours has signed it")
    return id_


def _mac(key: bytes, id_: str, at: str, body: bytes) -> bytes:
    return hmac.new(key, b".".join((id_.encode(), at.encode(), body)), sha256).digest()
