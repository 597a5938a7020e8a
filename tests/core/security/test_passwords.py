from __future__ import annotations

import asyncio
import time

import pytest
from argon2 import PasswordHasher

from partywall.core.security.passwords import Passwords


async def test_the_right_password_and_no_other() -> None:
    passwords = Passwords(2)
    hashed = await passwords.hash("correct horse battery")
    assert hashed.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await passwords.check("correct horse battery", hashed)).valid
    assert not (await passwords.check("correct horse batterx", hashed)).valid
    assert hashed != await passwords.hash("correct horse battery")


async def test_a_password_is_the_same_however_its_mails_are_composed() -> None:
    passwords = Passwords(1)
    assert (await passwords.check("motörhead ﬁve", await passwords.hash("moto\u0308rhead five"))).valid


@pytest.mark.parametrize(("passes", "memory", "lanes"), [(1, 8192, 1), (3, 65536, 4)])
async def test_a_hash_of_other_parameters_is_replaced(passes: int, memory: int, lanes: int) -> None:
    """Weaker hashes, and hashes so expensive that other logins had to wait."""
    passwords = Passwords(1)
    old = PasswordHasher(time_cost=passes, memory_cost=memory, parallelism=lanes).hash("an old password")
    checked = await passwords.check("an old password", old)
    assert checked.valid
    assert checked.replacement is not None
    assert checked.replacement.startswith("$argon2id$v=19$m=19456,t=2,p=1$")
    assert (await passwords.check("an old password", checked.replacement)) == type(checked)(True, None)
    assert (await passwords.check("wrong", old)).replacement is None


async def test_without_an_account_the_answer_is_no_after_the_same_work() -> None:
    passwords = Passwords(1)
    hashed = await passwords.hash("somebody's password")

    async def spent(known: str | None) -> float:
        started = time.process_time()
        assert not (await passwords.check("a guess", known)).valid
        return time.process_time() - started

    known = min([await spent(hashed) for _ in range(5)])
    unknown = min([await spent(None) for _ in range(5)])
    assert 0.5 < unknown / known < 2


async def test_hashing_is_limited_and_does_not_block_the_event_loop() -> None:
    passwords = Passwords(1)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await asyncio.gather(*(passwords.hash(f"password {number}") for number in range(3)))
    ticking.cancel()
    assert ticks > 10
