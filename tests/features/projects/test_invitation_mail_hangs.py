"""A mail server that accepts connections and never answers delays only mails."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from uuid import uuid4

from partywall.adapters.mail.smtp import SmtpMailer, SmtpOptions
from partywall.core.resources import Resources
from partywall.features.projects.feature import feature as projects
from partywall.features.search.feature import feature as search
from partywall.testing.conditions import until
from partywall.testing.engines import DatabaseUrls
from partywall.testing.users import Person, Users
from partywall.testing.workers import working

INVITATIONS = 10


@dataclass(slots=True)
class SilentServer:
    """Accepts connections without a greeting and closes them all at the end."""

    port: int = 0
    waiting: int = 0
    hung_up: asyncio.Event = field(default_factory=asyncio.Event)

    async def accept(self, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.waiting += 1
        await self.hung_up.wait()
        writer.close()

    async def has_caller(self) -> None:
        await until(lambda: bool(self.waiting))


@asynccontextmanager
async def silent_server() -> AsyncIterator[SilentServer]:
    silent = SilentServer()
    async with await asyncio.start_server(silent.accept, "127.0.0.1", 0) as server:
        silent.port = server.sockets[0].getsockname()[1]
        try:
            yield silent
        finally:
            silent.hung_up.set()


async def invite_many(inviter: Person) -> None:
    url = f"/api/v1/projects/{await inviter.project()}/invitations"
    for _ in range(INVITATIONS):
        answer = await inviter.client.post(url, json={"email": f"{uuid4().hex}@example.com", "role": "viewer"})
        assert answer.status_code == 201, answer.text


async def indexed(person: Person, url: str) -> None:
    while (await person.client.get(url)).json()["index_status"] != "indexed":
        await asyncio.sleep(0.05)


async def test_a_silent_mail_server_holds_up_no_document(
    users: Users, resources: Resources, database: DatabaseUrls
) -> None:
    inviter, writer = await users.person(), await users.person()
    documents = f"/api/v1/projects/{await writer.project()}/documents"
    async with silent_server() as server, AsyncExitStack() as worker:
        mailer = SmtpMailer(SmtpOptions("127.0.0.1", "partywall@example.com", server.port, security="none"))
        handlers = (*projects.jobs, *search.jobs)
        await worker.enter_async_context(working(replace(resources, mailer=mailer), handlers))
        worker.callback(server.hung_up.set)
        await invite_many(inviter)
        await server.has_caller()
        made = await writer.client.post(documents, json={"title": "In time", "content": "Found meanwhile."})
        assert made.status_code == 201, made.text
        async with asyncio.timeout(60):
            await indexed(writer, made.headers["location"])
        assert server.waiting == 2, "the first two mails must still be waiting"
