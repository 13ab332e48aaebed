"""API keys: what they open, shown once, kept as a hash; made, rotated and revoked live and on a closed file."""

import pytest
from msgspec.structs import replace

from lictor.errors import DeniedError, MalformedError, NotFoundError
from lictor.runtime.randomness import Randomness
from lictor.surfaces.access.keys import find, in_force, make, revoke, rotate, span_s
from lictor.surfaces.access.principal import Permission, Principal, granted
from lictor.surfaces.access.secret import fits, hash_of, token_of

NOW_US = 1_700_000_000_000_000


def made(grants=None, name="agent", roles=("submit", "read"), **given):
    asked = {"sources": None, "tenants": None, "expires_in_s": None, "by": "olga", "now_us": NOW_US} | given
    return make(grants or {}, name, roles=roles, random=Randomness(7).bytes, **asked)


def holder(*roles, sources=None, tenants=None, name="olga"):
    return Principal(name=name, permissions=granted(roles), sources=sources, tenants=tenants)


def test_a_token_opens_its_own_key_and_no_other() -> None:
    one = made()
    token = token_of(one.token)
    assert token.id == one.grant.id
    assert fits(token.id, token.secret, one.grant.hash)
    assert not fits(token.id, token.secret + "0", one.grant.hash)
    assert not fits("other", token.secret, one.grant.hash)  # a stored hash moved to another key opens nothing
    assert len(token.secret) * 5 >= 256
    assert token.secret not in repr(one.grant)
    assert hash_of(token.id, token.secret) == one.grant.hash


@pytest.mark.parametrize(
    "text", ["", "lk", "lk_a", "lk__b", "lk_a_", "lk_a_b_c", "xx_a_b", "lk_a_é", "lk_a_" + "b" * 200]
)
def test_what_is_no_token(text) -> None:
    assert token_of(text) is None


@pytest.mark.parametrize(
    ("given", "error"),
    [
        ({"name": ""}, MalformedError),
        ({"name": "two words"}, MalformedError),
        ({"name": "<script>"}, MalformedError),
        ({"roles": ()}, MalformedError),
        ({"roles": ("public",)}, MalformedError),
        ({"roles": ("root",)}, MalformedError),
        ({"sources": []}, MalformedError),
        ({"tenants": []}, MalformedError),
        ({"tenants": [""]}, MalformedError),
        ({"expires_in_s": 0}, MalformedError),
        ({"expires_in_s": float("nan")}, MalformedError),
        ({"by": ""}, DeniedError),
        ({"roles": ("approve",), "sources": ["agent-7"]}, DeniedError),
        ({"roles": ("admin",), "sources": ["agent-7"]}, DeniedError),
    ],
)
def test_what_is_no_key(given, error) -> None:
    with pytest.raises(error):
        made(**given)


def test_rotation_leaves_the_old_key_a_time_of_grace() -> None:
    one = made(expires_in_s=1_000.0)
    grants = {one.grant.id: one.grant}
    asked = {"by": "olga", "now_us": NOW_US, "random": Randomness(8).bytes}
    old, new = rotate(grants, "agent", grace_s=60.0, expires_in_s=None, **asked)
    assert (old.id, old.expires_us) == (one.grant.id, NOW_US + 60_000_000)
    assert (new.grant.roles, new.grant.expires_us) == (one.grant.roles, one.grant.expires_us)
    assert new.token != one.token
    late, _ = rotate(grants, one.grant.id, grace_s=9_999.0, expires_in_s=None, **asked)
    assert late.expires_us == one.grant.expires_us  # grace lengthens no life
    now, _ = rotate(grants, "agent", grace_s=0.0, expires_in_s=None, **asked)
    assert not in_force(now, NOW_US)


def test_revoking_a_name_revokes_all_its_keys() -> None:
    one, two = made().grant, replace(made().grant, id="two")
    grants = {"one": replace(one, id="one"), "two": two, "other": replace(one, id="other", name="other")}
    gone = revoke(grants, "agent", now_us=NOW_US)
    assert {grant.id for grant in gone} == {"one", "two"}
    assert not any(in_force(grant, NOW_US) for grant in gone)
    for what in ("nobody", ""):
        with pytest.raises(NotFoundError):
            revoke(grants, what, now_us=NOW_US)
    with pytest.raises(NotFoundError):
        find({grant.id: grant for grant in gone}, "agent", NOW_US)


def test_times_of_keys() -> None:
    assert [span_s(text) for text in ("90d", "12h", "30m", "45s", "2w")] == [7_776_000, 43_200, 1_800, 45, 1_209_600]
    for text in ("", "90", "d", "-1d", "0d", "1.5h", "1y"):
        with pytest.raises(MalformedError):
            span_s(text)


def test_roles_bring_what_they_need_and_nothing_else() -> None:
    assert granted(("approve",)) == {Permission.APPROVE, Permission.READ}
    assert granted(("operate",)) == {Permission.OPERATE, Permission.READ}
    assert granted(("submit",)) == {Permission.SUBMIT}
    assert granted(("admin",)) == set(Permission) - {Permission.PUBLIC}
    assert granted(("of a newer version", "public")) == set()
    assert not holder().may(Permission.READ)
    assert holder().may(Permission.PUBLIC)


def test_source_and_tenant_come_from_the_credential() -> None:
    agent = holder("submit", sources=("agent-7", "agent-8"), tenants=("acme",))
    assert agent.source_for("agent-8") == "agent-8"
    assert agent.tenant_for(None) == "acme"
    for refused in (lambda: agent.source_for(None), lambda: agent.source_for("olga"), lambda: agent.tenant_for("x")):
        with pytest.raises(DeniedError):
            refused()
    assert agent.sees("agent-7", "acme")
    assert not agent.sees("agent-7", "globex")
    assert not agent.sees("agent-9", "acme")
    gateway = holder("submit")
    assert (gateway.source_for(None), gateway.source_for("anyone"), gateway.tenant_for(None)) == (
        "olga",
        "anyone",
        "default",
    )


def test_who_may_approve_decides_under_its_own_name_alone() -> None:
    for role in ("approve", "admin"):
        person = holder("submit", role)
        assert person.source_for("olga") == "olga"
        with pytest.raises(DeniedError, match="own name alone"):
            person.source_for("agent-7")


def test_keys_on_a_running_node_and_on_its_file(shell) -> None:
    make_it = ("keys", "make", "agent", "--roles", "submit,read", "--source", "agent-7", "--tenant", "acme")
    with shell.node():
        code, out, err = shell(*make_it, "--expires-in", "90d")
        assert code == 0
        assert out.startswith("lk_")
        assert "submit, read, for source agent-7 and tenant acme" in err
        token = out.strip()
        (row,) = shell.json("keys", "list")
        assert (row["name"], row["state"], row["sources"], row["tenants"]) == (
            "agent",
            "in force",
            ["agent-7"],
            ["acme"],
        )
        assert token.split("_")[2] not in shell("keys", "list")[1]
        new = shell.json("keys", "rotate", "agent", "--grace", "30m")
        assert (new["name"], new["old"]["id"], new["old"]["state"]) == ("agent", row["id"], "in force")
        assert shell.json("keys", "make", "x", "--roles", "root", code=2)["error"]["code"] == "MALFORMED"
    gone = shell.json("keys", "revoke", "agent", "--by", "ana")  # now on the file
    assert {grant["id"] for grant in gone["revoked"]} == {row["id"], new["id"]}
    assert {grant["state"] for grant in shell.json("keys", "list")} == {"revoked"}
    assert shell.json("keys", "revoke", "agent", code=3)["error"]["code"] == "NOT_FOUND"
    assert shell.json("keys", "make", "ana", "--roles", "approve")["token"].startswith("lk_")
    code, _, said = shell("keys", "make", "ana", "--roles", "approve", "--source", "agent-7")
    assert (code, "never the source" in said) == (1, True)
    assert shell.json("verify")["findings"] == []
    stored = b"".join(path.read_bytes() for path in shell.folder.glob("lictor.db*") if path.is_file())
    for secret in (token, new["token"]):
        assert secret.split("_")[2].encode() not in stored
    with shell.node():
        assert len(shell.json("keys", "list")) == 3
