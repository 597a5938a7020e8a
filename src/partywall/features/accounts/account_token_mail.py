"""Jobs that mail the owner of an account: a token, or a notice."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple

import structlog

from partywall.core.db.session import bind_principal
from partywall.core.jobs.context import JobContext
from partywall.core.jobs.mail_sender import link_with, send_mail
from partywall.core.jobs.queue import enqueue
from partywall.core.mail.renderer import MailTemplate
from partywall.core.tenancy import Principal
from partywall.features.accounts.account_token_repository import AccountTokenGateway, waiting_account_token
from partywall.features.accounts.account_tokens import RESET, UNLOCK, TokenPurpose
from partywall.features.accounts.jobs import (
    MAIL_ACCOUNT_TOKEN,
    ForgottenPassword,
    LockedLogin,
    MailAccountToken,
    PasswordChanged,
)
from partywall.features.accounts.repository import AccountRepository
from partywall.settings.mail import MailLinks

log = structlog.get_logger(__name__)

_TEMPLATES: Final = Path(__file__).with_name("templates")
CHANGED: Final = MailTemplate(_TEMPLATES, "password_changed")


class TokenMail(NamedTuple):
    """The mail of a purpose, and the page of the product that it links to."""

    purpose: TokenPurpose
    template: MailTemplate
    page: Callable[[MailLinks], str | None]


_MAILS: Final[Mapping[str, TokenMail]] = MappingProxyType(
    {
        RESET.name: TokenMail(RESET, MailTemplate(_TEMPLATES, "reset_password"), lambda links: links.password_reset),
        UNLOCK.name: TokenMail(UNLOCK, MailTemplate(_TEMPLATES, "unlock"), lambda links: links.unlock),
    }
)


async def forgotten_password(context: JobContext, payload: ForgottenPassword) -> None:
    await _add_token(context, RESET, payload.address)


async def locked_login(context: JobContext, payload: LockedLogin) -> None:
    await _add_token(context, UNLOCK, payload.address)


async def _add_token(context: JobContext, purpose: TokenPurpose, address: str) -> None:
    """Store a token and enqueue its mail, if the address has an account that needs one more."""
    async with context.resources.sessions.begin() as session:
        added = await AccountTokenGateway(session).add(context.resources.secrets, purpose, address)
        if added is not None:
            mail = MailAccountToken(account_id=added.account_id, token_id=added.token_id)
            await enqueue(session, MAIL_ACCOUNT_TOKEN, mail)
    if added is None:
        log.info("account_token_not_needed", purpose=purpose.name)


async def mail_account_token(context: JobContext, payload: MailAccountToken) -> None:
    """Mail a token, unless it was used or has expired."""
    async with context.resources.sessions.read() as session:
        await bind_principal(session, Principal.user(payload.account_id))
        account = await AccountRepository(session, payload.account_id).get()
        waiting = await waiting_account_token(session, payload.token_id)
    if account is None or waiting is None:
        log.info("account_token_not_needed")
        return
    resources, mail = context.resources, _MAILS[waiting.purpose]
    token = mail.purpose.tokens(resources.secrets.signer(mail.purpose.name)).of(payload.token_id)
    values = {
        "token": token,
        "expires_at": _minute(waiting.expires_at),
        "link": link_with(mail.page(resources.settings.mail.links), token),
    }
    await send_mail(context, mail.template, account.email, values)


async def mail_password_changed(context: JobContext, payload: PasswordChanged) -> None:
    """Tell the owner, who may not be the one who changed it."""
    async with context.resources.sessions.read() as session:
        await bind_principal(session, Principal.user(payload.account_id))
        account = await AccountRepository(session, payload.account_id).get()
    if account is not None:
        await send_mail(context, CHANGED, account.email, {"changed_at": _minute(payload.changed_at)})


def _minute(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%d %B %Y, %H:%M} UTC"
