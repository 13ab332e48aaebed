"""Signatures against the library of Standard Webhooks as the other side, and against GitHub's published example."""

from base64 import b64encode
from datetime import UTC, datetime, timedelta

import pytest
from standardwebhooks import Webhook

from lictor.errors import SignatureError
from lictor.outbound.signature import check_github, check_standard, secrets_of, signed

KEY = b"k" * 32
SECRET = f"whsec_{b64encode(KEY).decode()}"
OTHER = f"whsec_{b64encode(b'o' * 24).decode()}"
BODY = '{"id": 1, "name": "Zoë"}'
NOW = datetime.now(UTC)
NOW_S = int(NOW.timestamp())


def theirs(secret: str = SECRET, at: datetime = NOW, id_: str = "msg_1", body: str = BODY) -> dict[str, str]:
    said = Webhook(secret).sign(id_, at, body)
    return {"webhook-id": id_, "webhook-timestamp": str(int(at.timestamp())), "webhook-signature": said}


def test_what_they_sign_we_take_and_what_we_sign_they_take():
    assert check_standard(secrets_of(SECRET), theirs(), BODY.encode(), NOW_S) == "msg_1"
    now_s = int(datetime.now(UTC).timestamp())  # theirs goes by the wall clock
    ours = signed(secrets_of(f"{SECRET} {OTHER}"), "msg_2", now_s, BODY.encode())
    for secret in (SECRET, OTHER):
        assert Webhook(secret).verify(BODY, ours) == {"id": 1, "name": "Zoë"}


def test_while_a_secret_is_replaced_both_are_good():
    both = secrets_of(f"{OTHER}\n{SECRET}")
    assert check_standard(both, theirs(SECRET), BODY.encode(), NOW_S) == "msg_1"
    assert check_standard(both, theirs(OTHER), BODY.encode(), NOW_S) == "msg_1"
    two = theirs() | {"webhook-signature": f"v2,abc v1a,abc {theirs(OTHER)['webhook-signature']} v1,AAAA"}
    assert check_standard(secrets_of(OTHER), two, BODY.encode(), NOW_S) == "msg_1"


@pytest.mark.parametrize(
    "change",
    [
        {"webhook-id": "msg_2"}, {"webhook-id": ""}, {"webhook-timestamp": str(NOW_S - 1)},
        {"webhook-timestamp": "now"},
        {"webhook-timestamp": "-1"}, {"webhook-timestamp": "9" * 30}, {"webhook-timestamp": ""},
        {"webhook-signature": ""}, {"webhook-signature": "v1,"}, {"webhook-signature": "v1,é"},
        {"webhook-signature": theirs(OTHER)["webhook-signature"]},
        {"webhook-signature": theirs()["webhook-signature"].replace("v1", "v1a")},
    ],
)  # fmt: skip
def test_what_is_changed_is_refused(change):
    with pytest.raises(SignatureError):
        check_standard(secrets_of(SECRET), theirs() | change, BODY.encode(), NOW_S)


def test_a_changed_body_is_refused():
    for body in (BODY + " ", "", BODY.replace("1", "2")):
        with pytest.raises(SignatureError):
            check_standard(secrets_of(SECRET), theirs(), body.encode(), NOW_S)


@pytest.mark.parametrize(("off_s", "good"), [(-299, True), (299, True), (-302, False), (302, False)])
def test_the_window_is_five_minutes_both_ways(off_s, good):
    headers = theirs(at=NOW + timedelta(seconds=off_s))
    if good:
        assert check_standard(secrets_of(SECRET), headers, BODY.encode(), NOW_S)
    else:
        with pytest.raises(SignatureError, match="ago"):
            check_standard(secrets_of(SECRET), headers, BODY.encode(), NOW_S)


@pytest.mark.parametrize("secret", ["", "whsec_", "whsec_!!!", "whsec_c2hvcnQ=", "not base64 at all"])
def test_what_is_no_secret_is_refused(secret):
    with pytest.raises(SignatureError):
        secrets_of(secret)


def test_unpadded_secrets_are_read():
    assert secrets_of(SECRET.rstrip("=")) == secrets_of(SECRET) == (KEY,)


def test_the_published_example_of_github():
    secret, body = b"It's a Secret to Everybody", b"Hello, World!"
    said = "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17"
    headers = {"x-github-delivery": "72d3162e", "x-hub-signature-256": said}
    assert check_github((b"old", secret), headers, body) == "72d3162e"
    for change in ({"x-github-delivery": ""}, {"x-hub-signature-256": ""}, {"x-hub-signature-256": said[:-1] + "0"}):
        with pytest.raises(SignatureError):
            check_github((secret,), headers | change, body)
    with pytest.raises(SignatureError):
        check_github((b"other",), headers, body)
