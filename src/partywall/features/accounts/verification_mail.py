from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import structlog

from partywall.core.db.session import bind_principal
from partywall.core.jobs.context import JobContext
from partywall.core.jobs.mail_sender import link_with, send_mail
from partywall.core.mail.renderer import MailTemplate
from partywall.core.tenancy import Principal
from partywall.features.accounts.constants import MAILS_PER_HOUR
from partywall.features.accounts.jobs import ConfirmAddress, ResendConfirmation
from partywall.features.accounts.registration_repository import (
    PendingRegistration,
    RegistrationGateway,
    waiting_registration,
)
from partywall.features.accounts.repository import AccountRepository
from partywall.features.accounts.verification import enqueue_mail, new_registration
from partywall.features.accounts.verification_tokens import PURPOSE, VerificationTokens

log = structlog.get_logger(__name__)

_TEMPLATES: Final = Path(__file__).with_name("templates")
CONFIRM: Final = MailTemplate(_TEMPLATES, "confirm_address")
KNOWN: Final = MailTemplate(_TEMPLATES, "account_exists")


async def confirm_address(context: JobContext, payload: ConfirmAddress) -> None:
    """Mail the token to an unverified address, or a notice that there is already an account to a verified one.

    The job uses the state at the time it runs. A limit keeps repeated registrations from filling a mailbox.
    """
    async with context.resources.sessions.read() as session:
        await bind_principal(session, Principal.user(payload.account_id))
        account = await AccountRepository(session, payload.account_id).get()
        waiting = await waiting_registration(session, payload.registration_id)
    if account is None or (account.email_verified_at is not None and not payload.registered):
        log.info("confirmation_not_needed")
        return
    if waiting is None and account.email_verified_at is None:
        log.warning("confirmation_withheld", reason="too many registrations of one address, or one that has expired")
        return
    counted = not payload.own and (waiting is None or not payload.registered)
    if context.attempt == 1 and counted and await _too_many(context, payload):
        log.warning("confirmation_withheld", reason="too many mails to one address")
        return
    if waiting is None:
        await send_mail(context, KNOWN, account.email, {"created_at": f"{account.created_at:%d %B %Y}"})
    else:
        await send_mail(context, CONFIRM, account.email, _confirmation(context, waiting))


async def resend_confirmation(context: JobContext, payload: ResendConfirmation) -> None:
    """Enqueue one mail job for each registration of the address that can still be confirmed."""
    tokens = VerificationTokens(context.resources.secrets.signer(PURPOSE))
    async with context.resources.sessions.begin() as session:
        gateway = RegistrationGateway(session)
        waiting = await gateway.to_resend(payload.address, bytes.fromhex(payload.network), new_registration(tokens))
        for each in waiting:
            await enqueue_mail(session, each.account_id, each.registration_id, registered=False, own=each.own)
    if not waiting:
        log.info("confirmation_not_needed")


def _confirmation(context: JobContext, waiting: PendingRegistration) -> dict[str, str | None]:
    resources = context.resources
    token = VerificationTokens(resources.secrets.signer(PURPOSE)).of(waiting.id)
    return {
        "chosen_at": _minute(waiting.chosen_at),
        "expires_at": _minute(waiting.expires_at),
        "token": token,
        "link": link_with(resources.settings.mail.links.verification, token),
    }


async def _too_many(context: JobContext, payload: ConfirmAddress) -> bool:
    """Notices and resends are counted apart, because anyone can request a resend.

    The mails of waiting registrations are not counted: the database limits the registrations.
    """
    kind = "registered" if payload.registered else "confirmation"
    wait = await context.resources.attempts.admit(f"{kind}/{payload.account_id}", per_hour=MAILS_PER_HOUR)
    return wait is not None


def _minute(instant: datetime) -> str:
    return f"{instant.astimezone(UTC):%d %B %Y, %H:%M} UTC"
