"""Fills a project through the API, the jobs and the superuser."""

from __future__ import annotations

import json
import secrets as tokens
from collections.abc import Callable
from uuid import UUID

from httpx2 import AsyncClient

from partywall.core.resources import Resources
from partywall.core.security.api_keys import new_key
from partywall.testing.conditions import until
from partywall.testing.isolation import users
from partywall.testing.isolation.callers import Account
from partywall.testing.isolation.database import Superuser
from partywall.testing.isolation.values import FAR, Kind, Value
from partywall.testing.users import NUMBER_PENDING_EVENTS
from partywall.testing.workers import SEARCH_KINDS, WAITING, working

type Mark = Callable[[], str]


async def project(http: AsyncClient, owner: Account, guard: Mark, bait: Mark) -> UUID:
    answer = await http.post(
        "/api/v1/projects",
        json={"name": f"{bait()} {guard()}", "description": guard()},
        headers=users.bearer(owner.token) | {"Idempotency-Key": bait()},
    )
    answer.raise_for_status()
    return UUID(answer.json()["id"])


async def documents(http: AsyncClient, owner: Account, project: UUID, guard: Mark, bait: Mark) -> list[str]:
    """One complete document with two versions, one upload and one more for the lists; returns their ids."""
    url, headers = f"/api/v1/projects/{project}/documents", users.bearer(owner.token)
    body = {
        "title": f"{bait()} {guard()}",
        "content": f"The supplier {guard()} delivers {bait()} within ten days.",
        "external_id": bait(),
        "metadata": {bait(): guard(), guard(): {"inner": [guard()]}},
    }
    main = await http.post(url, json=body, headers=headers | {"Idempotency-Key": bait()})
    main.raise_for_status()
    changed = {"content": f"The supplier {guard()} delivers {bait()} within two days.", "status": "published"}
    (await http.patch(f"{url}/{main.json()['id']}", json=changed, headers=headers)).raise_for_status()
    file = (f"{bait()}.txt", f"# {guard()}\n\nWhat {bait()} has uploaded.".encode(), "text/plain")
    uploaded = await http.post(f"{url}/upload", files={"file": file}, headers=headers)
    uploaded.raise_for_status()
    other = await http.post(url, json={"title": guard(), "content": f"Nothing but {guard()}."}, headers=headers)
    other.raise_for_status()
    return [str(each.json()["id"]) for each in (main, uploaded, other)]


async def webhook(
    http: AsyncClient, superuser: Superuser, owner: Account, project: UUID, guard: Mark, bait: Mark
) -> list[Value]:
    """A webhook with a delivery; returns its values to try in attempts."""
    answer = await http.post(
        f"/api/v1/projects/{project}/webhooks",
        json={"url": f"http://127.0.0.1:1024/{bait()}", "description": guard()},
        headers=users.bearer(owner.token),
    )
    answer.raise_for_status()
    made = answer.json()
    return [
        Value(Kind.ID, "a webhook", made["id"]),
        Value(Kind.ID, "a delivery", await delivery(superuser, project, UUID(made["id"]))),
        Value(Kind.SECRET, "a webhook's secret", made["secret"]),
    ]


async def delivery(superuser: Superuser, project: UUID, webhook: UUID) -> str:
    """Creates the delivery as a worker would; only workers create them."""
    return str(
        await superuser.value(
            "INSERT INTO webhook_delivery (project_id, webhook_id, event_id, event_type, status, attempts, error)"
            " SELECT $1, $2, coalesce(max(event_id), 0) + 1, 'document.created', 'failed', 10, 'answered 500'"
            " FROM webhook_delivery WHERE project_id = $1 RETURNING id",
            project,
            webhook,
        )
    )


async def waiting_run(superuser: Superuser, project: UUID, mark: Mark, state: int = 0) -> str:
    """Creates a run as a worker would: with a step, the end of a turn, and a call that waits for a decision."""
    question = json.dumps({"question": mark()})
    call = [{"tool": "publish", "arguments": {"document_id": mark()}}]
    run = await superuser.value(
        "INSERT INTO run (project_id, agent, status, input, pending, principal, state, started_at)"
        " VALUES ($1, 'assistant', 'waiting', $2, $3, 'user:somebody', $4, now()) RETURNING id",
        project, question, json.dumps(call), state,
    )  # fmt: skip
    said = json.dumps([{"kind": "request", "parts": [{"part_kind": "user-prompt", "content": mark()}]}])
    requests = json.dumps({"calls": [], "approvals": [], "metadata": {}})
    for sql, text in (
        ("INSERT INTO run_turn (project_id, run_id, number, messages, pending) VALUES ($1, $2, 1, $3, $4)", said),
        (
            (
                "INSERT INTO run_step (project_id, run_id, turn, name, number, result, effect)"
                " VALUES ($1, $2, 1, 's', 1, $3, $4)"
            ),
            json.dumps({"parts": [mark()]}),
        ),
    ):
        await superuser.execute(sql, project, run, text, requests)
    return str(run)


async def trash(superuser: Superuser, project: UUID, mark: Mark, count: int) -> None:
    """Documents that were deleted and can be restored."""
    for _ in range(count):
        await superuser.execute(
            "INSERT INTO document (project_id, title, content, former_external_id, size, content_sha256, created_by,"
            " deleted_at, purge_at) VALUES ($1, $2, $3, $4, 6, 'none', 'user:somebody', now(), now() + interval '1 d')",
            project, mark(), mark(), mark(),
        )  # fmt: skip


async def quotas(superuser: Superuser, project: UUID, owner: Account) -> None:
    """Quotas that an operator has set for a project and its owner."""
    await superuser.execute("INSERT INTO project_quota (project_id, quota, most) VALUES ($1, 'runs', 9000)", project)
    await superuser.execute(
        "INSERT INTO account_quota (account_id, quota, most) VALUES ($1, 'projects', 9000)", UUID(str(owner.id))
    )


async def webhook_slots(superuser: Superuser, project: UUID, most: int) -> None:
    await superuser.execute(
        "INSERT INTO project_quota (project_id, quota, most) VALUES ($1, 'webhooks', $2)", project, most
    )


async def spending(superuser: Superuser, project: UUID) -> None:
    """The project's monthly budget and its use."""
    budget = "INSERT INTO agent_budget (project_id, tokens, updated_by) VALUES ($1, 9000000, 'user:somebody')"
    await superuser.execute(budget, project)
    used = (
        "INSERT INTO agent_usage AS used (project_id, month, tokens) VALUES ($1, '2026-11-01', 5)"
        " ON CONFLICT (project_id, month) DO UPDATE SET tokens = used.tokens + 5"
    )
    await superuser.execute(used, project)


async def index(resources: Resources, superuser: Superuser) -> None:
    """Indexes what is waiting, and runs the search jobs until none is left."""

    async def idle() -> bool:
        queued = "SELECT count(*) FROM job WHERE kind = ANY ($1) AND state <> 'dead_letter'"
        return await superuser.value(WAITING) == 0 == await superuser.value(queued, list(SEARCH_KINDS))

    async with working(resources):
        await until(idle)


async def indexing(superuser: Superuser, project: UUID, most: int) -> None:
    """The attempts that a lost worker has left for documents that need no indexing."""
    await superuser.execute(
        "INSERT INTO indexing_attempt (project_id, document_id, revision, attempts, due_at, lease)"
        " SELECT project_id, id, 1, 1, now(), uuidv7() FROM document AS d WHERE project_id = $1 AND NOT EXISTS ("
        "    SELECT FROM indexing_attempt AS a WHERE a.project_id = d.project_id AND a.document_id = d.id"
        " ) LIMIT $2", project, most,
    )  # fmt: skip


async def vector_changes(superuser: Superuser, project: UUID) -> None:
    """What a vector server would not know yet of the project's vectors."""
    await superuser.execute(
        "INSERT INTO vector_change (project_id, index_id, chunk)"
        " SELECT project_id, index_id, chunk FROM embedding WHERE project_id = $1 ON CONFLICT DO NOTHING", project,
    )  # fmt: skip


async def archive_entries(superuser: Superuser, project: UUID, mark: Mark) -> None:
    """Documents that were made of the files in an archive."""
    await superuser.execute(
        "INSERT INTO archive_entry (project_id, document_id, archive_id, path, sha256, archive_key)"
        " SELECT project_id, id, uuidv7(), $2, content_sha256, $2 FROM document WHERE project_id = $1"
        " ON CONFLICT DO NOTHING", project, mark(),
    )  # fmt: skip


async def deletion(superuser: Superuser, project: UUID) -> None:
    """A deletion by filter, which has ended."""
    await superuser.execute(
        "INSERT INTO document_deletion (project_id, filter, created_by, finished_at)"
        " VALUES ($1, '{}', 'user:somebody', now())", project,
    )  # fmt: skip


async def audit_trail(superuser: Superuser, project: UUID, mark: Mark) -> None:
    """What an owner has done."""
    await superuser.execute(
        "INSERT INTO project_audit (project_id, action, actor, subject) VALUES ($1, 'member.invited', $2, $3)",
        project, f"user:{project}", mark(),
    )  # fmt: skip


async def dead_letter(superuser: Superuser, project: UUID) -> None:
    """A job that waits for an operator."""
    await superuser.execute(
        "INSERT INTO job (kind, project_id, payload, state, dead_letter_at)"
        " VALUES ('of the world', $1, jsonb_build_object('project_id', $1::uuid), 'dead_letter', now())",
        project,
    )


async def far_numbers(superuser: Superuser, project: UUID, document: str) -> None:
    """Moves the project's numbers into a range that nothing else uses, so that they reveal their origin."""
    await superuser.execute(NUMBER_PENDING_EVENTS)
    main = UUID(document)
    for sql in (
        "UPDATE project SET revision = revision + $2 WHERE id = $1",
        "UPDATE document SET revision = revision + $2, state = state + $2 WHERE project_id = $1",
        "UPDATE event_counter SET last = last + $2, oldest = oldest + $2 WHERE project_id = $1",
        "UPDATE event SET id = id + $2 WHERE project_id = $1",
        "UPDATE project_member SET revision = revision + $2 WHERE project_id = $1",
        "UPDATE webhook SET revision = revision + $2 WHERE project_id = $1",
        "UPDATE run SET state = state + $2 WHERE project_id = $1",
        "UPDATE agent_budget SET revision = revision + $2, tokens = tokens + $2 WHERE project_id = $1",
        "UPDATE agent_usage SET tokens = tokens + $2 WHERE project_id = $1",
        "UPDATE webhook_delivery SET event_id = event_id + $2 WHERE project_id = $1",
    ):
        await superuser.execute(sql, project, FAR)
    for sql in (
        "UPDATE document SET version = version + $3 WHERE project_id = $1 AND id = $2",
        "UPDATE document_version SET number = number + $3 WHERE project_id = $1 AND document_id = $2",
    ):
        await superuser.execute(sql, project, main, FAR)


async def values(superuser: Superuser, project: UUID, documents: list[str]) -> list[Value]:
    """The project's values to try in attempts."""
    [main] = await superuser.fetch(
        "SELECT d.*, (SELECT key FROM jsonb_object_keys(metadata) AS key WHERE key LIKE 'lokaas%') AS field"
        " FROM document AS d WHERE project_id = $1 AND id = $2", project, UUID(documents[0]),
    )  # fmt: skip
    [upload] = await superuser.fetch("SELECT * FROM document WHERE id = $1", UUID(documents[1]))
    [chunk] = await superuser.fetch("SELECT id FROM chunk WHERE project_id = $1 LIMIT 1", project)
    [event] = await superuser.fetch("SELECT max(id) AS id FROM event WHERE project_id = $1", project)
    [key] = await superuser.fetch("SELECT key FROM idempotency_key WHERE project_id = $1 LIMIT 1", project)
    name = str(await superuser.value("SELECT name FROM project WHERE id = $1", project))
    return [
        Value(Kind.ID, "the project", str(project)),
        Value(Kind.ID, "a document", documents[0]),
        Value(Kind.ID, "an uploaded document", documents[1]),
        Value(Kind.ID, "a passage", str(chunk["id"])),
        Value(Kind.NUMBER, "an event's number", str(event["id"])),
        Value(Kind.NUMBER, "a version's number", str(main["version"])),
        Value(Kind.TEXT, "an external id", main["external_id"]),
        Value(Kind.TEXT, "a word of a title", main["title"].split()[0]),
        Value(Kind.TEXT, "a word of a content", main["content"].split()[4]),
        Value(Kind.TEXT, "a metadata key", main["field"]),
        Value(Kind.TEXT, "an idempotency key", key["key"]),
        Value(Kind.TEXT, "a word of the project's name", name.split()[0]),
        Value(Kind.TEXT, "a file name", upload["original_name"]),
        Value(Kind.HASH, "a content's hash", main["content_sha256"]),
        Value(Kind.HASH, "an uploaded file's key", upload["original_key"]),
        Value(Kind.TAG, "a content's entity tag", f'"{main["content_sha256"]}"'),
        Value(Kind.TAG, "a file's entity tag", f'"{upload["original_key"]}"'),
    ]


async def secrets(superuser: Superuser, project: UUID, owner: Account, guard: Mark, bait: Mark) -> list[Value]:
    """An active key, and two invitations to users who are not callers: one open, one expired."""
    key = new_key()
    await superuser.execute(
        "INSERT INTO api_key (project_id, name, prefix, secret_hash, role, created_by)"
        " VALUES ($1, $2, $3, $4, 'admin', $5)",
        project, guard(), key.prefix, key.secret_hash, f"user:{owner.id}",
    )  # fmt: skip
    open_, expired = tokens.token_urlsafe(32), tokens.token_urlsafe(32)
    invited = f"{bait()}@example.com"
    await users.invitation(superuser, project, owner.id, invited, open_, "now() + interval '1 day'")
    await users.invitation(superuser, project, owner.id, f"{bait()}@example.com", expired, "now() - interval '1 day'")
    return [
        Value(Kind.SECRET, "a key in use", key.secret, live=True),
        Value(Kind.SECRET, "an open invitation of another", open_),
        Value(Kind.SECRET, "an expired invitation", expired),
        Value(Kind.TEXT, "a key's prefix", key.prefix),
        Value(Kind.EMAIL, "an invited address", invited),
    ]
