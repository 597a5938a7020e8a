from __future__ import annotations

from httpx2 import Response

from tests.features.accounts.conftest import Variant, Visitor, new_address

NOWHERE = "redis://127.0.0.1:1/0"


def assert_too_many(answer: Response) -> None:
    body = answer.json()
    assert (answer.status_code, body["code"], body["error"]) == (429, "too_many_attempts", "too_many_attempts")
    assert 1 <= int(answer.headers["retry-after"]) <= 60


async def test_each_client_has_limits_on_logins_and_registrations(variant: Variant) -> None:
    async with variant(attempts_per_minute=3) as visitor:
        here = visitor.at("203.0.113.1")
        for _ in range(3):
            assert (await here.register()).status_code == 202
        assert_too_many(await here.register())
        for _ in range(3):
            assert (await here.try_login(username=new_address())).status_code == 400
        assert_too_many(await here.try_login(username=new_address()))
        assert (await here.at("203.0.113.2").try_login("wrong password")).status_code == 400
        assert (await visitor.client.get("/.well-known/jwks.json")).status_code == 200


async def test_a_rate_limited_network_blocks_no_known_user(
    variant: Variant,
) -> None:
    async with variant(attempts_per_minute=3) as visitor:
        assert (await visitor.at("198.51.100.1").register()).status_code == 202
        owner = visitor.at("198.51.100.9")
        login, other = await owner.log_in(), await owner.log_in()
        neighbour = Visitor(visitor.client, new_address(), "198.51.100.9")
        for _ in range(5):
            await neighbour.try_login()
        assert_too_many(await neighbour.try_login())
        for _ in range(30):
            assert (await neighbour.refresh("pwr_made_up")).status_code == 400
        assert_too_many(await neighbour.refresh("pwr_made_up"))
        assert_too_many(await neighbour.verify("pwv_made_up"))
        assert_too_many(await neighbour.revoke("a.b.c"))
        assert (await owner.try_login()).status_code == 200
        assert (await owner.refresh(login.refresh)).status_code == 200
        assert (await owner.revoke(other.access)).status_code == 200
        assert (await owner.me(other.access)).status_code == 401


async def test_each_session_has_its_own_refresh_limit(variant: Variant) -> None:
    async with variant(attempts_per_minute=3) as visitor:
        visitor = visitor.at("198.51.100.2")
        assert (await visitor.register()).status_code == 202
        login, other = await visitor.log_in(), await visitor.log_in()
        answers = [await visitor.refresh(login.refresh) for _ in range(4)]
        assert [answer.status_code for answer in answers] == [200, 200, 200, 429]
        assert_too_many(answers[-1])
        assert (await visitor.refresh(other.refresh)).status_code == 200


async def test_while_valkey_is_down_only_the_lockout_works(variant: Variant) -> None:
    async with variant(cache_url=NOWHERE, attempts_per_minute=1) as visitor:
        assert (await visitor.register()).status_code == 202
        login = await visitor.log_in()
        assert (await visitor.refresh(login.refresh)).status_code == 200
        assert (await visitor.revoke(login.refresh)).status_code == 200
        for _ in range(5):
            assert (await visitor.try_login("wrong password")).status_code == 400
        assert (await visitor.try_login()).status_code == 429
