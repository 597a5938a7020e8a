"""A tenant with many waiting jobs does not delay other tenants' jobs."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from itertools import pairwise
from uuid import UUID

import pytest

from partywall.core.ids import new_id
from partywall.core.jobs import fair_scheduler
from partywall.core.jobs.context import JobContext
from partywall.core.jobs.fair_scheduler import FairScheduler, JobLine
from partywall.core.jobs.kinds import JobKind, handles
from partywall.core.jobs.models import NO_PROJECT
from partywall.core.jobs.queue import enqueue
from partywall.core.resources import Resources
from partywall.core.tenancy import Principal
from partywall.testing.conditions import until
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Users
from tests.core.jobs.jobs import InProject, kind_of, queued, working

MANY = 30
ONE, TWO = UUID(int=1), UUID(int=2)
BACKLOG = """
    INSERT INTO job (kind, project_id, payload)
    SELECT $1, $2::uuid, jsonb_build_object('project_id', $2::uuid, 'principal', $3::text) FROM generate_series(1, 300)
"""


async def fill(resources: Resources, kind: JobKind[InProject], project: UUID, count: int) -> None:
    payload = InProject(project_id=project, principal=str(Principal.service(project)))
    async with resources.sessions.begin() as session:
        for _ in range(count):
            await enqueue(session, kind, payload)


async def test_an_account_with_many_jobs_does_not_block_others(
    users: Users, resources: Resources, database: DatabaseUrls
) -> None:
    greedy, honest = await users.person(), await users.person()
    first, second, other = await greedy.project(), await greedy.project("Second"), await honest.project()
    kind, order = kind_of(InProject), list[UUID]()

    async def run(_: JobContext, payload: InProject) -> None:
        order.append(payload.project_id)

    await fill(resources, kind, first, MANY)
    await fill(resources, kind, second, MANY)
    await fill(resources, kind, other, 2)
    async with working(resources, database, handles(kind, run)):
        await until(lambda: _is_empty(resources, kind))
    assert len(order) == 2 * MANY + 2
    assert [slot for slot, project in enumerate(order) if project == other] == [1, 3]
    assert all(before != after for before, after in pairwise(order[4 : 2 * MANY])), "its projects also take turns"


async def _is_empty(resources: Resources, kind: JobKind[InProject]) -> bool:
    return await queued(resources, kind) == 0


async def test_a_single_job_is_served_despite_a_large_backlog(
    users: Users, resources: Resources, database: DatabaseUrls
) -> None:
    """Although the others have waited for long, and many are taken at once."""
    kind, order = kind_of(InProject), list[UUID]()
    busy, late = [await (await users.person()).project() for _ in range(2)]
    await users.execute(BACKLOG, kind.name, busy, str(Principal.service(busy)))

    async def run(_: JobContext, payload: InProject) -> None:
        order.append(payload.project_id)
        if len(order) == 5:
            await fill(resources, kind, late, 1)
        await asyncio.sleep(0.01)

    async with working(resources, database, handles(kind, run, concurrency=4)):
        await until(lambda: _is_empty(resources, kind))
    assert len(order) == 301
    assert order.index(late) < 290


def lines_of(*projects: UUID, account: UUID = ONE) -> list[JobLine]:
    return [JobLine("kind", project, account) for project in projects]


def test_accounts_take_turns_and_so_do_their_projects() -> None:
    """In turn, whichever is next when more job lines are found."""
    scheduler = FairScheduler(["kind", "other"])
    first, second, third = (new_id() for _ in range(3))
    scheduler.found(["kind"], lines_of(first, second) + lines_of(third, account=TWO))
    chosen = [scheduler.choose({"kind": 1})[0].project for _ in range(4)]
    assert chosen == [first, third, second, third]
    scheduler.found(["kind"], lines_of(first, second) + lines_of(third, account=TWO))
    assert {each.project: each.jobs for each in scheduler.choose({"kind": 6, "other": 1})} == {
        first: 2,
        second: 1,
        third: 3,
    }


def test_a_line_that_gave_fewer_jobs_than_requested_is_empty() -> None:
    scheduler = FairScheduler(["kind"])
    first, second = new_id(), new_id()
    scheduler.found(["kind"], lines_of(first, second))
    chosen = scheduler.choose({"kind": 4})
    scheduler.taken(chosen, Counter({("kind", first): 2, ("kind", second): 1}))
    assert [each.project for each in scheduler.choose({"kind": 4})] == [first]
    scheduler.found(["kind"], [])
    assert scheduler.is_empty
    assert scheduler.choose({"kind": 4}) == []


def test_projects_keep_their_turn_after_reaching_a_limit() -> None:
    """When the same slot becomes free again and again, every project gets its share."""
    scheduler, served = FairScheduler(["kind"], limits={"kind": 2}), list[UUID]()
    first, second, third, other = (UUID(int=number) for number in range(1, 5))
    lines = lines_of(first, second, third)
    scheduler.found(["kind"], lines)
    assert [(each.project, each.jobs) for each in scheduler.choose({"kind": 9})] == [(first, 1), (second, 1)]
    scheduler.taken([], Counter())
    for _ in range(2):
        scheduler.begin("kind", ONE)
    for _ in range(6):
        scheduler.found(["kind"], lines_of(other, account=TWO))  # the account is at its limit
        assert {each.project for each in scheduler.choose({"kind": 1})} == {other}
        scheduler.end("kind", ONE)
        scheduler.found(["kind"], lines)
        chosen = scheduler.choose({"kind": 9})
        assert [each.jobs for each in chosen] == [1]
        scheduler.taken(chosen, Counter((each.kind, each.project) for each in chosen))
        scheduler.begin("kind", ONE)
        served.append(chosen[0].project)
    assert Counter(served) == {first: 2, second: 2, third: 2}


def test_lines_beyond_one_window_get_their_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    """In windows: each line in a window has a turn before the next window is read; after the last comes the first."""
    monkeypatch.setattr(fair_scheduler, "WINDOW", 10)
    chance = random.Random(3)
    waiting = sorted(new_id() for _ in range(37))
    scheduler, served = FairScheduler(["kind"]), Counter[UUID]()
    for _ in range(3 * 37):
        for start in scheduler.unknown().values():
            lines = [JobLine("kind", each, chance.choice([ONE, TWO])) for each in waiting if each >= start][:10]
            scheduler.found(["kind"], lines)
        served.update(each.project for each in scheduler.choose({"kind": 1}))
    assert set(served) == set(waiting)
    assert max(served.values()) <= 6


def test_there_are_no_lines_before_the_first_look() -> None:
    assert FairScheduler(["kind"]).unknown() == {"kind": NO_PROJECT}


def shared(total: int, of: int = 3) -> tuple[FairScheduler, int]:
    return FairScheduler(["kind"], {"kind": max(1, total // of)}), total


def begun(scheduler: FairScheduler, free: int) -> Counter[UUID]:
    """Starts what fits and returns the number of jobs per account."""
    chosen: Counter[UUID] = Counter()
    for kind, project, jobs in scheduler.choose({"kind": free}):
        for _ in range(jobs):
            scheduler.begin(kind, project)
            chosen[project] += 1
    return chosen


def accounts(*each: UUID) -> list[JobLine]:
    """One project per account, with the account's id."""
    return [JobLine("kind", account, account) for account in each]


@pytest.mark.parametrize(("total", "taken"), [(1, 1), (2, 1), (3, 1), (6, 2), (50, 16)])
def test_shared_slots_limit_a_single_account(total: int, taken: int) -> None:
    scheduler, free = shared(total)
    scheduler.found(["kind"], accounts(ONE))
    assert begun(scheduler, free) == {ONE: taken}
    assert begun(scheduler, free - taken) == {}


def test_shared_slots_keep_some_for_a_new_tenant() -> None:
    scheduler, free = shared(50)
    many = [new_id() for _ in range(7)]
    scheduler.found(["kind"], accounts(*many))
    shares = begun(scheduler, free)
    assert set(shares) == set(many)
    assert max(shares.values()) - min(shares.values()) <= 1
    assert (left := free - shares.total()) >= 5
    scheduler.found(["kind"], accounts(*many, TWO))
    assert begun(scheduler, left)[TWO] > 0


def test_a_freed_shared_slot_goes_to_a_tenant_without_one() -> None:
    scheduler, free = shared(3)
    full = [new_id() for _ in range(3)]
    scheduler.found(["kind"], accounts(*full))
    assert begun(scheduler, free) == dict.fromkeys(full, 1)
    assert not scheduler.has_new_tenant("kind")
    scheduler.found(["kind"], accounts(*full, ONE, TWO))
    assert scheduler.has_new_tenant("kind")
    scheduler.end("kind", full[0])
    assert begun(scheduler, 1) == {ONE: 1}
    scheduler.end("kind", full[1])
    assert begun(scheduler, 1)[ONE] == 0


def test_projects_of_an_account_divide_its_shared_slots() -> None:
    scheduler, free = shared(12)
    first, second = new_id(), new_id()
    scheduler.found(["kind"], lines_of(first, second))
    assert {each.project: each.jobs for each in scheduler.choose({"kind": free})} == {first: 2, second: 2}


def test_shared_slots_with_a_limit_keep_some_for_newcomers() -> None:
    scheduler = FairScheduler(["kind"], {"kind": 12}, {"kind": 4})
    three = [new_id() for _ in range(3)]
    scheduler.found(["kind"], accounts(*three))
    assert begun(scheduler, 12) == dict.fromkeys(three, 3)
    scheduler.found(["kind"], accounts(*three, ONE, TWO))
    assert begun(scheduler, 3) == {ONE: 1, TWO: 1}
