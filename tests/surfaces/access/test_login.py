"""A browser logs in, is believed for reading, and changes something only from our own page with its token."""

import ssl

import httpx2
import pytest
from tests.surfaces.http.served import client, key, served

FORM = {"content-type": "application/x-www-form-urlencoded"}


def run(main):
    import asyncio

    asyncio.run(main())


@pytest.fixture(autouse=True)
def _elsewhere(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)


def cookie_of(response) -> str:
    return response.headers["set-cookie"].partition(";")[0]


async def logged_in(http, token) -> dict[str, str]:
    """The headers of a browser that has logged in."""
    http.cookies.clear()
    response = await http.post("/login", data={"key": token})
    http.cookies.clear()
    assert response.status_code == 303, response.text
    return {"cookie": cookie_of(response), "sec-fetch-site": "same-origin"}


def csrf(http, browser) -> str:
    door = http.server.app.door
    return door.of_cookie(browser["cookie"].partition("=")[2]).session


def test_log_in_use_and_log_out() -> None:
    async def main():
        async with served() as http, client(http.server) as anyone:
            admin = await key(http.node, "olga", "admin")
            form = await anyone.get("/login?next=/v1/keys")
            assert (form.status_code, 'value="/v1/keys"' in form.text) == (200, True)
            response = await anyone.post("/login", data={"key": admin, "next": "/v1/keys"})
            assert (response.status_code, response.headers["location"]) == (303, "/v1/keys")
            told = response.headers["set-cookie"]
            assert "HttpOnly" in told
            assert "SameSite=Strict" in told
            assert "Secure" not in told  # no TLS here
            assert admin not in str(response.headers) + response.text
            browser = {"cookie": cookie_of(response)}
            again = await anyone.get("/login")  # logged in, as somebody else
            assert f'name="csrf" value="{csrf(http, browser)}"' in again.text
            anyone.cookies.clear()
            assert (await anyone.get("/v1/keys", headers=browser)).status_code == 200
            token = csrf(http, browser)
            out = {"sec-fetch-site": "same-origin", "x-csrf-token": token}
            assert (await anyone.post("/logout", headers=browser | out)).status_code == 303
            assert (await anyone.get("/v1/keys", headers=browser)).status_code == 401

    run(main)


def test_a_cookie_alone_changes_nothing() -> None:
    async def main():
        async with served() as http, client(http.server) as anyone:
            browser = await logged_in(anyone, await key(http.node, "olga", "admin"))
            token = csrf(http, browser)
            asked = {"name": "x", "roles": ["read"]}

            async def make(**headers):
                return (await anyone.post("/v1/keys", json=asked, headers=browser | headers)).status_code

            assert await make() == 403
            assert await make(**{"x-csrf-token": "wrong"}) == 403
            assert await make(**{"x-csrf-token": token, "sec-fetch-site": "cross-site"}) == 403
            assert await make(**{"x-csrf-token": token, "sec-fetch-site": "same-site"}) == 403
            assert len(http.node.journal.state.grants) == 2
            assert await make(**{"x-csrf-token": token}) == 201
            other = await logged_in(anyone, await key(http.node, "ana", "admin"))
            crossed = {"x-csrf-token": csrf(http, other)}
            assert await make(**crossed) == 403  # the token of another session
            kept = browser | FORM
            assert (await anyone.post("/logout", headers=kept, content=b"csrf=wrong")).status_code == 403
            assert (await anyone.post("/logout", headers=kept, content=b"csrf=" + token.encode())).status_code == 303

    run(main)


def test_a_revoked_key_ends_its_sessions_and_a_bad_key_is_not_made_good_by_a_cookie() -> None:
    async def main():
        async with served() as http, client(http.server) as anyone:
            browser = await logged_in(anyone, await key(http.node, "olga", "read", "admin"))
            assert (await anyone.get("/v1/keys", headers=browser)).status_code == 200
            bad = browser | {"authorization": "Bearer lk_olga_wrong"}
            assert (await anyone.get("/v1/keys", headers=bad)).status_code == 401
            assert (await http.delete("/v1/keys/olga")).status_code == 200
            assert (await anyone.get("/v1/keys", headers=browser)).status_code == 401
            assert len(http.server.app.door.sessions) == 0

    run(main)


def test_a_browser_that_wants_a_page_is_led_to_the_log_in_and_back() -> None:
    async def main():
        async with served() as http, client(http.server) as anyone:
            response = await anyone.get("/v1/keys?x=1", headers={"accept": "text/html,*/*"})
            assert (response.status_code, response.headers["location"]) == (303, "/login?next=%2Fv1%2Fkeys%3Fx%3D1")
            admin = await key(http.node, "olga", "admin")
            for onward in ("//evil.example", "https://evil.example", "/\\evil.example", "javascript:x", "/a\r\nx: y"):
                anyone.cookies.clear()
                response = await anyone.post("/login", data={"key": admin, "next": onward})
                assert response.headers["location"] == "/"
                form = await anyone.get("/login", params={"next": onward})
                assert 'name="next" value="/"' in form.text

    run(main)


def test_log_ins_that_fail_are_limited_and_another_site_cannot_log_in() -> None:
    async def main():
        async with served() as http, client(http.server) as anyone:
            admin = await key(http.node, "olga", "admin")
            cross = {"sec-fetch-site": "cross-site"}
            assert (await anyone.post("/login", data={"key": admin}, headers=cross)).status_code == 403
            codes = [(await anyone.post("/login", data={"key": f"lk_olga_{n}"})).status_code for n in range(11)]
            assert codes == [401] * 10 + [429]
            late = await anyone.post("/login", data={"key": admin})
            assert (late.status_code, int(late.headers["retry-after"]) > 0) == (429, True)

    run(main)


def test_every_answer_has_its_headers_and_only_our_names_are_served() -> None:
    async def main():
        async with served() as http, client(http.server) as anyone:
            for path in ("/healthz", "/login", "/v1/keys", "/nowhere"):
                headers = (await anyone.get(path)).headers
                assert "default-src 'none'" in headers["content-security-policy"]
                assert "frame-ancestors 'none'" in headers["content-security-policy"]
                assert "unsafe" not in headers["content-security-policy"]
                assert headers["x-content-type-options"] == "nosniff"
                assert headers["referrer-policy"] == "same-origin"
                assert headers["cache-control"] == "no-store"
                assert "strict-transport-security" not in headers
            for host, status in (("evil.example", 421), ("localhost", 200), ("127.0.0.1:1", 200), ("[::1]", 200)):
                assert (await anyone.get("/healthz", headers={"host": host})).status_code == status

    run(main)


def test_under_tls_the_cookie_is_for_this_host_over_tls_alone(tls) -> None:
    async def main():
        from lictor.surfaces.http.server import HttpServer

        cert, private = tls
        async with served() as http, HttpServer(http.node, port=0, cert=cert, key=private) as server:
            context = ssl.create_default_context(cafile=str(cert))
            async with httpx2.AsyncClient(
                base_url=server.url.replace("127.0.0.1", "localhost"), verify=context
            ) as tls_:
                response = await tls_.post("/login", data={"key": await key(http.node, "olga", "admin")})
                assert response.headers["set-cookie"].startswith("__Host-lictor_session=")
                assert "; Secure" in response.headers["set-cookie"]
                assert response.headers["strict-transport-security"] == "max-age=31536000"
                named = {"host": "lictor.example"}  # from the certificate
                assert (await tls_.get("/healthz", headers=named)).status_code == 200
                assert (await tls_.get("/healthz", headers={"host": "evil.example"})).status_code == 421

    run(main)
