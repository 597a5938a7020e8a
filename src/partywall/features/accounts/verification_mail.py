from __future__ import annotations

from pathlib import Path
from typing import Final

import structlog

from partywall.core.db.session import bind_principal
from partywall.core.jobs.context import JobContext
from partywall.core.mail.rendering import MailTemplate
from partywall.core.mail.sending import link_with, send_mail
from partywall.core.tenancy import Principal
from partywall.features.accounts.constants import MAILS_PER_HOUR
from partywall.features.accounts.jobs import ConfirmAddress
from partywall.features.accounts.models import Account
from partywall.features.accounts.repository import AccountRepository
from partywall.features.accounts.verification_tokens import PURPOSE, VerificationTokens

log = structlog.get_logger(__name__)

_TEMPLATES: Final = Path(__file__).with_name("templates")
CONFIRM: Final = MailTemplate(_TEMPLATES, "confirm_address")
KNOWN: Final = MailTemplate(_TEMPLATES, "account_exists")


async def confirm_address(context: JobContext, payload: ConfirmAddress) -> None:
    """Mails the token to an address that is not verified; to one that is, that there is an account already.

    What happened since the job was enqueued counts, and nobody's mailbox is filled by registering them over and over.
    """
    async with context.resources.sessions.read() as session:
        await bind_principal(session, Principal.user(payload.account_id))
        account = await AccountRepository(session, payload.account_id).get()
    if account is None or (account.email_verified_at is not None and not payload.registered):
        log.info("confirmation_not_needed")
        return
    if context.attempt == 1 and await _too_many(context, payload):
        log.warning("confirmation_withheld", reason="too many mails to one address")
        return
    if account.email_verified_at is not None:
        await send_mail(context, KNOWN, account.email, {"created_at": _date(account)})
        return
    resources = context.resources
    tokens = VerificationTokens(resources.secrets.signer(PURPOSE))
    token = tokens.issue(account.id, account.email, payload.expires_at)
    values = {
        "created_at": _date(account),
        "expires_at": f"{payload.expires_at:%d %B %Y, %H:%M} UTC",
        "token": token,
        "link": link_with(resources.settings.mail.links.verification, token),
    }
    await send_mail(context, CONFIRM, account.email, values)


async def _too_many(context: JobContext, payload: ConfirmAddress) -> bool:
    wait = await context.resources.attempts.admit(f"confirmation/{payload.account_id}", per_hour=MAILS_PER_HOUR)
    return wait is not None


def _date(account: Account) -> str:
    return f"{account.created_at:%d %B %Y}"
