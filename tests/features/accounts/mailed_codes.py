"""Runs the jobs that mail tokens to the owner of an account, and reads the tokens from the mails."""

from __future__ import annotations

from dataclasses import dataclass
from email.message import EmailMessage
from typing import Final
from uuid import uuid4

import asyncpg
from httpx2 import Response

from partywall.core.jobs.context import JobContext
from partywall.core.resources import Resources
from partywall.features.accounts.feature import feature
from partywall.features.accounts.jobs import (
    FORGOTTEN_PASSWORD,
    LOCKED_LOGIN,
    MAIL_ACCOUNT_TOKEN,
    PASSWORD_CHANGED,
)
from tests.features.accounts.conftest import Visitor
from tests.mailbox import mails_to, text_of

FORGOT: Final = "/api/v1/auth/password/forgot"
RESET: Final = "/api/v1/auth/password/reset"
CHANGE: Final = "/api/v1/auth/password/change"
UNLOCK: Final = "/api/v1/auth/unlock"
NEW: Final = "a new password of mine"
WRONG: Final = "wrong password"
_KINDS: Final = [kind.name for kind in (FORGOTTEN_PASSWORD, LOCKED_LOGIN, MAIL_ACCOUNT_TOKEN, PASSWORD_CHANGED)]
_WAITING: Final = """
    SELECT kind, payload FROM job
    WHERE kind = ANY ($1) AND (payload->>'address' = $2 OR payload->>'account_id' = $3) ORDER BY id
"""
_TAKE: Final = """
    DELETE FROM job WHERE kind = ANY ($1) AND (payload->>'address' = $2 OR payload->>'account_id' = $3)
    RETURNING id, kind, payload
"""


@dataclass(frozen=True, slots=True)
class MailedCodes:
    resources: Resources
    superuser: asyncpg.Connection

    async def enqueued(self, address: str) -> list[tuple[str, set[str]]]:
        """The kinds of the waiting jobs about an address, and the fields of their payloads."""
        rows = await self.superuser.fetch(_WAITING, *await self._of(address))
        handlers = {each.kind.name: each.kind.payload for each in feature.jobs}
        payloads = [(row["kind"], handlers[row["kind"]].model_validate_json(row["payload"])) for row in rows]
        return [(kind, set(payload.model_dump(exclude_none=True))) for kind, payload in payloads]

    async def work(self, address: str) -> None:
        """Runs the jobs about an address, and those that they enqueue, as the worker does."""
        handlers = {each.kind.name: each for each in feature.jobs}
        of = await self._of(address)
        while rows := await self.superuser.fetch(_TAKE, *of):
            for row in rows:
                handler = handlers[row["kind"]]
                payload = handler.kind.payload.model_validate_json(row["payload"])
                await handler.run(JobContext(self.resources, uuid4(), row["id"], 1, last=False), payload)

    async def subjects(self, address: str) -> list[str]:
        """Of the mails to an address, oldest first."""
        await self.work(address)
        return [str(mail["Subject"]) for mail in self._mails(address)]

    async def codes(self, address: str, prefix: str) -> list[str]:
        await self.work(address)
        lines = [line for mail in self._mails(address) for line in text_of(mail).splitlines()]
        return [line for line in lines if line.startswith(prefix)]

    async def reset_code(self, visitor: Visitor) -> str:
        assert (await forgot(visitor)).status_code == 202
        return (await self.codes(visitor.email, "pwp_"))[-1]

    def _mails(self, address: str) -> list[EmailMessage]:
        return mails_to(self.resources.settings.mail_directory, address)

    async def _of(self, address: str) -> tuple[list[str], str, str]:
        account = await self.superuser.fetchval("SELECT id FROM account WHERE email = $1", address)
        return _KINDS, address, str(account)


async def forgot(visitor: Visitor) -> Response:
    return await visitor.send(FORGOT, {"email": visitor.email})


async def reset(visitor: Visitor, token: str, password: str = NEW) -> Response:
    return await visitor.send(RESET, {"token": token, "new_password": password})


async def unlock(visitor: Visitor, token: str) -> Response:
    return await visitor.send(UNLOCK, {"token": token})


def assert_no_token(answer: Response) -> None:
    assert (answer.status_code, answer.json()["code"]) == (400, "account_token_invalid")
