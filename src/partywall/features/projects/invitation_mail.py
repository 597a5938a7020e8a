from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Final

import structlog

from partywall.core.jobs.context import JobContext
from partywall.core.jobs.mail_sender import link_with, send_mail
from partywall.core.mail.renderer import MailTemplate
from partywall.features.projects import invitation_quota
from partywall.features.projects.invitation_quota import InvitationQuota
from partywall.features.projects.invitation_tokens import PURPOSE, InvitationTokens
from partywall.features.projects.invitations import find_invitation_mail
from partywall.features.projects.jobs import SendInvitation

log = structlog.get_logger(__name__)

TEMPLATE: Final = MailTemplate(Path(__file__).with_name("templates"), "invitation")


async def send_invitation(context: JobContext, payload: SendInvitation) -> timedelta | None:
    """Mail the token, unless the invitation was withdrawn or has expired.

    If the recipient gets too many mails, returns a pause after which the job tries again. Mails to a recipient are
    counted over all projects. The inviter does not learn that a mail was withheld.
    """
    async with context.read(payload) as (session, scope):
        mail = await find_invitation_mail(session, scope, payload.invitation_id)
    if mail is None:
        log.info("invitation_not_sent", invitation_id=str(payload.invitation_id))
        return None
    resources = context.resources
    quota = InvitationQuota(resources.attempts, resources.secrets.signer(invitation_quota.PURPOSE))
    after = await quota.deliver_after(scope.principal, mail.email) if context.attempt == 1 else None
    if after is not None:
        log.warning("invitation_withheld", reason="too many mails to one address", retry_after=after.total_seconds())
        return after
    token = InvitationTokens(resources.secrets.signer(PURPOSE)).of(payload.invitation_id)
    values = {
        "project": mail.project,
        "inviter": mail.inviter,
        "inviter_email": mail.inviter_email,
        "role": mail.role,
        "expires_at": f"{mail.expires_at:%d %B %Y, %H:%M} UTC",
        "token": token,
        "link": link_with(resources.settings.mail.links.invitation, token),
    }
    await send_mail(context, TEMPLATE, mail.email, values)
    return None
