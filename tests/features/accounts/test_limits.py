from __future__ import annotations

from tests.features.accounts.conftest import Variant

NOWHERE = "redis://127.0.0.1:1/0"


async def test_each_client_address_has_so_many_attempts_over_all_credential_routes(variant: Variant) -> None:
    async with variant(attempts_per_minute=3) as visitor:
        visitor.client.headers["X-Forwarded-For"] = "203.0.113.1"
        answers = [await visitor.revoke("x"), await visitor.refresh("x"), await visitor.register()]
        assert [answer.status_code for answer in answers] == [200, 400, 202]
        visitor.client.headers["X-Forwarded-For"] = "203.0.113.2"
        for refused in (await visitor.revoke("x"), await visitor.try_login(), await visitor.register()):
            body = refused.json()
            assert (refused.status_code, body["code"], body["error"]) == (429, "too_many_attempts", "too_many_attempts")
            assert 1 <= int(refused.headers["retry-after"]) <= 60
        assert (await visitor.client.get("/.well-known/jwks.json")).status_code == 200


async def test_while_valkey_is_away_the_lockout_alone_stands(variant: Variant) -> None:
    async with variant(cache_url=NOWHERE, attempts_per_minute=1) as visitor:
        assert (await visitor.register()).status_code == 202
        login = await visitor.log_in()
        assert (await visitor.refresh(login.refresh)).status_code == 200
        assert (await visitor.revoke(login.refresh)).status_code == 200
        for _ in range(5):
            assert (await visitor.try_login("wrong password")).status_code == 400
        assert (await visitor.try_login()).status_code == 429
