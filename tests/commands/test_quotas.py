from __future__ import annotations

import asyncio
from uuid import uuid4

import pytest

from partywall.cli import run
from partywall.testing.users import Users

pytestmark = pytest.mark.usefixtures("servers")


async def quotas(*arguments: str) -> int:
    """In a thread: a command runs its own event loop."""
    return await asyncio.to_thread(run, ["quotas", *arguments])


async def test_an_operator_sets_and_clears_a_projects_limits(users: Users, capsys: pytest.CaptureFixture[str]) -> None:
    owner = await users.person()
    project = await owner.project()
    url, body = f"/api/v1/projects/{project}/documents", {"title": "t", "content": ""}
    chosen = ("--project", str(project))
    assert (await owner.client.post(url, json=body)).status_code == 201
    assert await quotas("set", "documents", "1", *chosen) == 0
    assert (await owner.client.post(url, json=body)).status_code == 403
    assert await quotas("set", "documents", "unlimited", *chosen) == 0
    assert (await owner.client.post(url, json=body)).status_code == 201
    assert await quotas("set", "spending", "12.50", *chosen) == 0
    capsys.readouterr()
    assert await quotas("show", *chosen) == 0
    shown = capsys.readouterr().out.splitlines()
    assert {"documents  unlimited  (set)", "spending  12.5  (set)", "keys  50"} <= set(shown)
    assert await quotas("clear", "documents", *chosen) == 0
    assert await quotas("clear", *chosen) == 0
    capsys.readouterr()
    assert await quotas("show", *chosen) == 0
    assert "(set)" not in capsys.readouterr().out


async def test_an_operator_sets_an_accounts_limits(users: Users, capsys: pytest.CaptureFixture[str]) -> None:
    person = await users.person()
    assert await quotas("set", "projects", "0", "--account", person.email) == 0
    assert (await person.client.post("/api/v1/projects", json={"name": "p"})).status_code == 403
    capsys.readouterr()
    assert await quotas("show", "--account", person.email) == 0
    assert capsys.readouterr().out == "projects  0  (set)\n"


async def test_a_recount_puts_right_what_was_counted_wrongly(users: Users, capsys: pytest.CaptureFixture[str]) -> None:
    owner = await users.person()
    project = await owner.project()
    await owner.client.post(f"/api/v1/projects/{project}/documents", json={"title": "t", "content": "text"})
    await users.execute("UPDATE project_usage SET documents = 7 WHERE project_id = $1", project)
    for wrong in (1, 0):
        assert await quotas("recount", "--project", str(project)) == 0
        assert f"recounted 1 projects, corrected {wrong}\n" in capsys.readouterr().out
    usage = (await owner.client.get(f"/api/v1/projects/{project}/usage")).json()
    assert (usage["documents"]["used"], usage["bytes"]["used"]) == (1, 6)


@pytest.mark.parametrize(
    "arguments",
    [
        ("set", "documents", "many"),
        ("set", "documents", "-1"),
        ("set", "documents", "1.5"),
        ("set", "documents", "NaN"),
        ("set", "documents", "1e30"),
        ("set", "versions_per_document", "0"),
        ("set", "nonsense", "1"),
        ("set", "projects", "1"),
        ("clear", "nonsense"),
        ("show", "--account", "nobody@example.com"),
        ("show", "--project", "00000000-0000-0000-0000-000000000000"),
        ("recount", "--project", "00000000-0000-0000-0000-000000000000"),
    ],
)
async def test_invalid_arguments_are_refused_in_one_line(
    users: Users, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...]
) -> None:
    project = await (await users.person()).project()
    owner = () if "--account" in arguments or "--project" in arguments else ("--project", str(project))
    assert await quotas(*arguments, *owner) == 2
    message = capsys.readouterr().err
    assert message.startswith("partywall: ")
    assert message.count("\n") == 1


async def test_exactly_one_account_or_project_is_required(capsys: pytest.CaptureFixture[str]) -> None:
    assert await quotas("show") == 2
    assert await quotas("show", "--project", str(uuid4()), "--account", "a@example.com") == 2
    assert capsys.readouterr().err.count("give either --project ID or --account EMAIL") == 2


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            ("set", "documents", "5", "--account", "ann@example.com"),
            "'documents' is a limit of a project: give --project ID",
        ),
        (
            ("clear", "documents", "--account", "ann@example.com"),
            "'documents' is a limit of a project: give --project ID",
        ),
        (
            ("set", "projects", "5", "--project", str(uuid4())),
            "'projects' is a limit of an account: give --account EMAIL",
        ),
        (("set", "unknown", "5", "--account", "ann@example.com"), "'unknown' is not one of "),
    ],
)
async def test_a_limit_of_another_owner_is_explained(
    arguments: tuple[str, ...], message: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await quotas(*arguments) == 2
    assert f"partywall: {message}" in capsys.readouterr().err
