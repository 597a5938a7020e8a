"""Sends a mail from a job."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from typing import Final

import structlog

from partywall.core.jobs.context import JobContext
from partywall.core.mail.message import MailRefused, Message
from partywall.core.mail.renderer import MailTemplate

log = structlog.get_logger(__name__)

_KEYS: Final = "message ids"


async def send_mail(context: JobContext, template: MailTemplate, to: str, values: Mapping[str, object]) -> None:
    """Render the mail and hand it over; adds the layout's `service` (the public URL or None) to `values`.

    A permanently refused mail ends the job with a log line. Any other failure raises MailError, and the runner retries
    the job: declare its kind with `max_attempts=ATTEMPTS`.
    """
    resources = context.resources
    public_url = resources.settings.http.public_url
    service = None if public_url is None else str(public_url).rstrip("/")
    content = await asyncio.to_thread(template.render, {"service": service, **values})
    key = resources.secrets.signer(_KEYS).sign(f"{context.job_id}:{to}".encode()).hex()
    try:
        await resources.mailer.send(Message(to, content.subject, content.text, content.html, key))
    except MailRefused as refusal:
        log.warning("mail_refused", template=template.name, reason=str(refusal))
        return
    log.info("mail_sent", template=template.name)


def link_with(page: str | None, token: str) -> str | None:
    """The URL of the product's page for a token, from a setting such as MAIL__LINKS__INVITATION."""
    return None if page is None else page.replace("{token}", token)
