from __future__ import annotations

import asyncio
import time

from argon2 import PasswordHasher

from partywall.core.security.passwords import Passwords


async def test_the_right_password_and_no_other() -> None:
    passwords = Passwords(2)
    hashed = await passwords.hash("correct horse battery")
    assert hashed.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert (await passwords.check("correct horse battery", hashed)).valid
    assert not (await passwords.check("correct horse batterx", hashed)).valid
    assert hashed != await passwords.hash("correct horse battery")


async def test_a_password_is_the_same_however_its_letters_are_composed() -> None:
    passwords = Passwords(1)
    assert (await passwords.check("motörhead ﬁve", await passwords.hash("moto\u0308rhead five"))).valid


async def test_a_hash_of_weaker_parameters_is_replaced() -> None:
    passwords = Passwords(1)
    weak = PasswordHasher(time_cost=1, memory_cost=8192, parallelism=1).hash("an old password")
    checked = await passwords.check("an old password", weak)
    assert checked.valid
    assert checked.replacement is not None
    assert (await passwords.check("an old password", checked.replacement)) == type(checked)(True, None)
    assert (await passwords.check("wrong", weak)).replacement is None


async def test_without_an_account_the_answer_is_no_after_the_same_time() -> None:
    passwords = Passwords(1)
    hashed = await passwords.hash("somebody's password")

    async def spent(known: str | None) -> float:
        started = time.perf_counter()
        assert not (await passwords.check("a guess", known)).valid
        return time.perf_counter() - started

    known = min([await spent(hashed) for _ in range(5)])
    unknown = min([await spent(None) for _ in range(5)])
    assert 0.5 < unknown / known < 2


async def test_the_event_loop_goes_on_and_no_more_run_at_once_than_allowed() -> None:
    passwords = Passwords(1)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        while True:
            await asyncio.sleep(0.001)
            ticks += 1

    ticking = asyncio.create_task(tick())
    await asyncio.gather(*(passwords.hash(f"password {number}") for number in range(3)))
    ticking.cancel()
    assert ticks > 10
