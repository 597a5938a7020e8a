"""A job that sends a mail, against a real server."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import replace
from pathlib import Path
from uuid import uuid4

import pytest
from sqlalchemy import text
from structlog.testing import capture_logs

from partywall.adapters.mail.smtp import SmtpMailer, SmtpOptions
from partywall.core.jobs import dead_letter
from partywall.core.jobs.context import JobContext
from partywall.core.jobs.kinds import JobKind, handles
from partywall.core.jobs.mail_sender import link_with, send_mail
from partywall.core.jobs.payloads import JobPayload
from partywall.core.jobs.queue import enqueue
from partywall.core.mail.renderer import MailTemplate
from partywall.core.resources import Resources
from partywall.testing.engines import DatabaseUrls
from tests.adapters.mail.server import Post, serving
from tests.mailbox import working

ADDRESS = "ada.canary@example.com"


class Greeting(JobPayload):
    name: str


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(dead_letter, "FIRST_DELAY", dead_letter.FIRST_DELAY / 20)


@pytest.fixture
def template(tmp_path: Path) -> MailTemplate:
    for part in ("subject.txt", "txt", "html"):
        (tmp_path / f"greeting.{part}").write_text("Dear {{ name }} {{ service }}")
    return MailTemplate(tmp_path, "greeting")


type Greet = Callable[[Post], Awaitable[JobKind[Greeting]]]


@pytest.fixture
def greet(resources: Resources, database: DatabaseUrls, template: MailTemplate) -> Greet:
    """A worker sends one greeting; returns when its job is gone."""

    async def handle(context: JobContext, payload: Greeting) -> None:
        await send_mail(context, template, ADDRESS, {"name": payload.name})

    async def run(post: Post) -> JobKind[Greeting]:
        kind = JobKind(f"test_{uuid4().hex}", Greeting, max_attempts=3)
        async with serving(post) as port:
            mailer = SmtpMailer(SmtpOptions("127.0.0.1", "us@example.com", port, security="none", timeout=5))
            async with working(replace(resources, mailer=mailer), database, [handles(kind, handle)]):
                async with resources.sessions.begin() as session:
                    await enqueue(session, kind, Greeting(name="Ada"))
                async with asyncio.timeout(60):
                    while await queued(resources, kind):
                        await asyncio.sleep(0.05)
        return kind

    return run


async def queued(resources: Resources, kind: JobKind[Greeting]) -> bool:
    async with resources.sessions.read() as session:
        query = text("SELECT EXISTS (SELECT FROM job WHERE kind = :kind AND state <> 'dead_letter')")
        return bool(await session.scalar(query, {"kind": kind.name}))


async def dead_letters(resources: Resources, kind: JobKind[Greeting]) -> list[str | None]:
    async with resources.sessions.read() as session:
        return [job.error for job in await dead_letter.list_dead_letters(session) if job.kind == kind.name]


async def test_a_deferred_mail_is_sent_later(greet: Greet, resources: Resources) -> None:
    post = Post(["451 later", "452 later still"])
    kind = await greet(post)
    [mail] = post.mails
    assert (mail["To"], post.connections) == (ADDRESS, 3)
    assert mail["Subject"] == "Dear Ada None"
    assert await dead_letters(resources, kind) == []


async def test_a_refused_mail_is_one_log_line_without_an_address(greet: Greet, resources: Resources) -> None:
    post = Post([f"550 no {ADDRESS} here"])
    with capture_logs() as logs:
        kind = await greet(post)
    assert (post.mails, post.connections) == ([], 1)
    assert await dead_letters(resources, kind) == []
    [line] = [line for line in logs if line["event"] == "mail_refused"]
    assert "550" in line["reason"]
    assert "canary" not in str(logs)


async def test_a_mail_deferred_too_long_becomes_a_dead_letter(greet: Greet, resources: Resources) -> None:
    post = Post(["451 later"] * 5)
    kind = await greet(post)
    assert post.connections == 3
    assert await dead_letters(resources, kind) == ["MailError: the mail server answered 451 (SMTPRecipientRefused)"]


def test_a_link_is_the_products_own_page() -> None:
    assert link_with(None, "t0ken") is None
    assert (
        link_with("https://app.example.com/join#token={token}", "t0ken") == "https://app.example.com/join#token=t0ken"
    )
