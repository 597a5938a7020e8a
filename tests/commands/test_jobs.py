from __future__ import annotations

import asyncio

import pytest
from sqlalchemy import func, insert

from partywall.cli import run
from partywall.core.jobs.models import StoredJob
from partywall.core.resources import Resources
from partywall.testing.users import Users

KIND = "nobody_runs_this"

pytestmark = pytest.mark.usefixtures("servers")


async def add_dead_letter(resources: Resources, job_id: int) -> None:
    async with resources.sessions.begin() as session:
        await session.execute(
            insert(StoredJob).values(
                id=job_id, kind=KIND, payload={"number": job_id}, state="dead_letter", attempts=3,
                error="ValueError: too odd", dead_letter_at=func.now(),
            )
        )  # fmt: skip


async def command(*arguments: str) -> int:
    """In a thread: a command runs its own event loop."""
    return await asyncio.to_thread(run, arguments)


async def test_dead_letters_are_listed_and_requeued(
    resources: Resources, users: Users, capsys: pytest.CaptureFixture[str]
) -> None:
    for job_id in (900_001, 900_002, 900_003):
        await add_dead_letter(resources, job_id)
    assert await command("jobs", "list") == 0
    listed = capsys.readouterr().out
    assert [line.split()[0] for line in listed.splitlines()] == ["900001", "900002", "900003"]
    assert f"{KIND}  ValueError: too odd" in listed

    assert await command("jobs", "retry", "900002", "900009") == 1
    assert "900009 is not a dead letter" in capsys.readouterr().err
    assert await command("jobs", "retry", "--all") == 0
    assert await command("jobs", "list") == 0
    printed = capsys.readouterr()
    assert "no dead letters" in printed.err
    [waiting] = [line for line in printed.out.splitlines() if KIND in line]
    assert waiting.startswith("3 waiting  ")
    assert waiting.endswith(f"Z  {KIND}  no worker of this version knows this kind")
    assert await command("jobs", "retry", "--all") == 0
    assert capsys.readouterr().err == "no dead letters\n"
    deleted = await users.execute("DELETE FROM job WHERE kind = $1", KIND)
    assert deleted == "DELETE 3"


async def test_requeued_jobs_wake_workers(resources: Resources, users: Users) -> None:
    await add_dead_letter(resources, 900_004)
    woken = asyncio.Event()
    with resources.waker.followed_by(woken.set):
        async with asyncio.timeout(30):
            await woken.wait()  # the subscription has begun
            woken.clear()
            assert await command("jobs", "retry", "900004") == 0
            await woken.wait()
    assert await users.execute("DELETE FROM job WHERE kind = $1 AND state = 'waiting'", KIND) == "DELETE 1"


@pytest.mark.parametrize("arguments", [["retry"], ["retry", "--all", "7"]])
async def test_the_job_selection_must_be_unambiguous(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert await command("jobs", *arguments) == 2
    assert "give job numbers or --all" in capsys.readouterr().err
