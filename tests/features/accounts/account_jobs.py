"""Runs the mail jobs of an account and reads the tokens from the mails."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID, uuid4

import asyncpg
from httpx2 import AsyncClient, Response

from partywall.core.jobs.context import JobContext
from partywall.core.resources import Resources
from partywall.features.accounts.jobs import CONFIRM_ADDRESS, RESEND_CONFIRMATION, ConfirmAddress, ResendConfirmation
from partywall.features.accounts.verification_mail import confirm_address, resend_confirmation
from tests.features.accounts.conftest import Visitor, account_id
from tests.mailbox import mails_to, text_of

VERIFY = "/api/v1/auth/email/verify"


async def verify(client: AsyncClient, token: str) -> Response:
    return await client.post(VERIFY, json={"token": token})


@dataclass
class AccountJobs:
    """Runs the jobs of one account as the worker does."""

    resources: Resources
    superuser: asyncpg.Connection

    async def payloads(self, account: UUID) -> list[ConfirmAddress]:
        rows = await self.superuser.fetch("SELECT payload FROM job WHERE kind = $1 ORDER BY id", CONFIRM_ADDRESS.name)
        found = [ConfirmAddress.model_validate_json(row["payload"]) for row in rows]
        return [payload for payload in found if payload.account_id == account]

    async def work(self, account: UUID, attempt: int = 1) -> None:
        for payload in await self.payloads(account):
            await confirm_address(JobContext(self.resources, uuid4(), id(payload), attempt, last=False), payload)
        await self.superuser.execute(
            "DELETE FROM job WHERE kind = $1 AND payload::text LIKE '%' || $2 || '%'",
            CONFIRM_ADDRESS.name,
            str(account),
        )

    async def asked(self, address: str) -> list[ResendConfirmation]:
        """Takes the resend jobs for this address off the queue."""
        rows = await self.superuser.fetch(
            "DELETE FROM job WHERE kind = $1 AND payload::text LIKE '%' || $2 || '%' RETURNING payload",
            RESEND_CONFIRMATION.name,
            address,
        )
        return [ResendConfirmation.model_validate_json(row["payload"]) for row in rows]

    async def resend(self, address: str) -> None:
        for payload in await self.asked(address):
            await resend_confirmation(JobContext(self.resources, uuid4(), id(payload), 1, last=False), payload)

    def texts(self, address: str) -> list[str]:
        return [text_of(mail) for mail in mails_to(self.resources.settings.mail_directory, address)]

    async def token(self, visitor: Visitor) -> str:
        """The token in the newest mail to the visitor."""
        await self.work(await account_id(self.superuser, visitor.email))
        return self.tokens(visitor.email)[-1]

    def tokens(self, address: str) -> list[str]:
        """The token of each mail, oldest first."""
        return [line for each in self.texts(address) for line in each.splitlines() if line.startswith("pwv_")]


def assert_refused(answer: Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (400, "verification_token_invalid")
