"""The mails of the directory adapter, and a worker that writes them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from pathlib import Path

from partywall.core.jobs.kinds import JobHandler
from partywall.core.jobs.runner import JobRunner
from partywall.core.resources import Resources
from partywall.testing.engines import DatabaseUrls


@asynccontextmanager
async def working(resources: Resources, database: DatabaseUrls, handlers: Sequence[JobHandler]) -> AsyncIterator[None]:
    """A worker for these handlers."""
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        group.create_task(JobRunner(resources, handlers).run(stop))
        try:
            yield
        finally:
            stop.set()


def mails_to(directory: Path, address: str) -> list[EmailMessage]:
    """Oldest first. Parses only mails that contain the address: other tests have left hundreds here."""
    named = [raw for path in sorted(directory.glob("[!.]*.eml")) if address.encode() in (raw := path.read_bytes())]
    found = [message_from_bytes(raw, policy=default) for raw in named]
    return [mail for mail in found if mail["To"] == address]


def text_of(mail: EmailMessage) -> str:
    part = mail.get_body(("plain",))
    assert part is not None
    return str(part.get_content())
