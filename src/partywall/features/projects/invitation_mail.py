from __future__ import annotations

from pathlib import Path
from typing import Final

import structlog

from partywall.core.jobs.context import JobContext
from partywall.core.mail.renderer import MailTemplate
from partywall.core.mail.sender import link_with, send_mail
from partywall.features.projects import invitation_quota
from partywall.features.projects.invitation_quota import InvitationQuota
from partywall.features.projects.invitation_tokens import PURPOSE, InvitationTokens
from partywall.features.projects.invitations import letter_of
from partywall.features.projects.jobs import SendInvitation

log = structlog.get_logger(__name__)

TEMPLATE: Final = MailTemplate(Path(__file__).with_name("templates"), "invitation")


async def send_invitation(context: JobContext, payload: SendInvitation) -> None:
    """Mails the token. Looks again at what is true now: an invitation that was withdrawn is not sent.

    Nor is one too many for its recipient, counted over all projects; then whoever invites sees no difference.
    """
    async with context.read(payload) as (session, scope):
        letter = await letter_of(session, scope, payload.invitation_id)
    if letter is None:
        log.info("invitation_not_sent", invitation_id=str(payload.invitation_id))
        return
    resources = context.resources
    quota = InvitationQuota(resources.attempts, resources.secrets.signer(invitation_quota.PURPOSE))
    if context.attempt == 1 and not await quota.may_deliver(letter.email):
        log.warning("invitation_withheld", reason="too many mails to one address")
        return
    token = InvitationTokens(resources.secrets.signer(PURPOSE)).of(payload.invitation_id)
    values = {
        "project": letter.project,
        "inviter": letter.inviter,
        "inviter_email": letter.inviter_email,
        "role": letter.role,
        "expires_at": f"{letter.expires_at:%d %B %Y, %H:%M} UTC",
        "token": token,
        "link": link_with(resources.settings.mail.links.invitation, token),
    }
    await send_mail(context, TEMPLATE, letter.email, values)
