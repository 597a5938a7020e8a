"""Runs the mail job of an invitation and reads the mail."""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass
from datetime import timedelta
from email.message import EmailMessage
from uuid import UUID, uuid4

from httpx2 import Response

from partywall.core.jobs.context import JobContext
from partywall.core.resources import Resources
from partywall.features.projects.invitation_mail import send_invitation
from partywall.features.projects.jobs import SEND_INVITATION, SendInvitation
from partywall.testing.users import Person
from tests.features.projects.team import Team
from tests.mailbox import mails_to

ACCEPT = "/api/v1/invitations/accept"
_TOKEN = re.compile(r"(?m)^pwi_[A-Za-z0-9_-]{43}$")


@dataclass(frozen=True, slots=True)
class Post:
    resources: Resources

    async def invite(self, team: Team, email: str, role: str = "editor", by: Person | None = None) -> UUID:
        answer = await (by or team.owner).client.post(f"{team.url}/invitations", json={"email": email, "role": role})
        assert answer.status_code == 201, answer.text
        return UUID(answer.json()["id"])

    async def job(self, team: Team, invitation: UUID) -> tuple[int, SendInvitation]:
        """The enqueued job of the invitation."""
        rows = await team.users.fetch(
            "SELECT id, payload FROM job WHERE kind = $1 AND payload->>'invitation_id' = $2",
            SEND_INVITATION.name, str(invitation),
        )  # fmt: skip
        [row] = rows
        return row["id"], SendInvitation.model_validate_json(row["payload"])

    async def deliver(self, team: Team, invitation: UUID) -> timedelta | None:
        """Runs the handler of that job."""
        number, payload = await self.job(team, invitation)
        return await send_invitation(JobContext(self.resources, uuid4(), number, 1, last=False), payload)

    async def letters(self, address: str) -> list[EmailMessage]:
        return await asyncio.to_thread(mails_to, self.resources.settings.mail_directory, address)

    async def token(self, team: Team, email: str, role: str = "editor", by: Person | None = None) -> str:
        """The token of a new invitation, from its mail."""
        await self.deliver(team, await self.invite(team, email, role, by))
        return token_in((await self.letters(email))[-1])


def text_of(mail: EmailMessage, kind: str = "plain") -> str:
    part = mail.get_body((kind,))
    assert part is not None
    return str(part.get_content())


def token_in(mail: EmailMessage) -> str:
    [token] = _TOKEN.findall(text_of(mail))
    return str(token)


async def accept(person: Person, token: str, **headers: str) -> Response:
    return await person.client.post(ACCEPT, json={"token": token}, headers=headers)
