"""Password guessing from unknown networks does not lock the owner out."""

from __future__ import annotations

import asyncio
import math
import time
from collections.abc import AsyncIterator

import asyncpg
import pytest

from partywall.core.security.passwords import PasswordCheck, Passwords
from tests.features.accounts.conftest import Variant, Visitor, new_address

WRONG = "wrong password"
HOME = "198.51.100.7"
NOT_YET = "UPDATE login_failure SET locked_until = now() WHERE locked_until IS NOT NULL"


@pytest.fixture
async def owner(variant: Variant) -> AsyncIterator[Visitor]:
    """The owner of an account, on a known network."""
    async with variant() as visitor:
        owner = visitor.at(HOME)
        assert (await owner.register()).status_code == 202
        yield owner


async def guess(owner: Visitor, times: int, address: str = "203.0.113.{}") -> list[int]:
    """Sends wrong passwords, each from a different address."""
    answers = [await owner.at(address.format(number)).try_login(WRONG) for number in range(times)]
    return [answer.status_code for answer in answers]


async def test_a_hundred_wrong_passwords_lock_their_owner_out_of_nothing(owner: Visitor) -> None:
    login = await owner.log_in()
    assert await guess(owner, 100, "203.0.113.1") == [400] * 5 + [429] * 95
    assert 429 in await guess(owner, 30)
    refreshed = await owner.refresh(login.refresh)
    assert refreshed.status_code == 200
    assert (await owner.me(refreshed.json()["access_token"])).status_code == 200
    assert (await owner.try_login()).status_code == 200
    assert (await owner.at("203.0.113.1").try_login()).status_code == 429


async def test_where_only_one_network_guesses_the_owner_logs_in_from_anywhere(owner: Visitor) -> None:
    await guess(owner, 30, "203.0.113.1")
    for elsewhere in (HOME, "203.0.113.2", "2001:db8::1"):
        assert (await owner.at(elsewhere).try_login()).status_code == 200


async def test_at_home_an_owner_has_five_attempts_too(owner: Visitor) -> None:
    await owner.log_in()
    assert [(await owner.try_login(WRONG)).status_code for _ in range(6)] == [400] * 5 + [429]
    answer = await owner.try_login()
    assert (answer.status_code, answer.json()["code"]) == (429, "login_locked")
    assert 1700 < int(answer.headers["retry-after"]) <= 1800
    assert (await owner.at("203.0.113.1").try_login()).status_code == 200


async def test_what_an_owner_mistypes_at_home_counts_against_no_other_network(owner: Visitor) -> None:
    await owner.log_in()
    for _ in range(20):
        await owner.try_login(WRONG)
    assert await guess(owner, 20) == [400] * 20


@pytest.mark.parametrize("known", [True, False])
async def test_many_networks_together_are_slowed_down(
    owner: Visitor, superuser: asyncpg.Connection, known: bool
) -> None:
    """The same for an unknown address."""
    aimed = owner if known else Visitor(owner.client, new_address())
    assert await guess(aimed, 21) == [400] * 21
    waits = []
    for number in range(4):
        answer = await aimed.at(f"192.0.2.{number}").try_login(WRONG)
        assert (answer.status_code, answer.json()["code"]) == (429, "login_locked")
        waits.append(int(answer.headers["retry-after"]))
        await superuser.execute(NOT_YET)
        assert (await aimed.at(f"192.0.2.{number}").try_login(WRONG)).status_code == 400
    assert waits == [1, 2, 4, 8]


async def test_a_network_that_was_not_used_for_long_is_unknown(owner: Visitor, superuser: asyncpg.Connection) -> None:
    await owner.log_in()
    await guess(owner, 21)
    await superuser.execute("UPDATE known_network SET used_at = now() - interval '91 days'")
    assert (await owner.try_login(WRONG)).status_code == 429


async def test_an_account_has_twenty_networks(owner: Visitor, superuser: asyncpg.Connection) -> None:
    before = await superuser.fetchval("SELECT count(*) FROM known_network")
    for number in range(25):
        await owner.at(f"203.0.113.{number}").log_in()
    assert await superuser.fetchval("SELECT count(*) FROM known_network") - before == 20


@pytest.mark.parametrize("addresses", [["203.0.113.1"], [f"203.0.113.{number}" for number in range(100)]])
async def test_of_a_hundred_guesses_at_once_no_more_are_hashed_than_allowed(
    owner: Visitor, addresses: list[str]
) -> None:
    hashed: list[str] = []
    check = Passwords.check_now

    async def noting(self: Passwords, password: str, known_hash: str | None) -> PasswordCheck:
        hashed.append(password)
        return await check(self, password, known_hash)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Passwords, "check_now", noting)
        guesses = (owner.at(addresses[n % len(addresses)]).try_login(f"guess number {n}") for n in range(100))
        started = time.monotonic()
        answers = await asyncio.gather(*guesses)
        passed = time.monotonic() - started
    # From many networks, another one is allowed after 1, 2, 4 seconds and so on.
    allowed = 5 if len(addresses) == 1 else 21 + int(math.log2(1 + passed))
    assert len(hashed) == sum(answer.status_code == 400 for answer in answers) <= allowed


async def test_guesses_from_everywhere_do_not_keep_an_owner_waiting(owner: Visitor) -> None:
    await owner.log_in()
    over, check, used = asyncio.Event(), Passwords.check_now, set[Passwords]()

    async def slow(self: Passwords, password: str, known_hash: str | None) -> PasswordCheck:
        used.add(self)
        if password == WRONG:
            await over.wait()
        return await check(self, password, known_hash)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Passwords, "check_now", slow)
        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            guesses = [group.create_task(owner.at(f"10.0.{n}.1").try_login(WRONG)) for n in range(10)]
            while sum(each.waiting for each in used) < 8:
                await asyncio.sleep(0.01)
            login = await owner.try_login()
            over.set()
    assert login.status_code == 200
    assert [guess.result().status_code for guess in guesses] == [400] * 10
