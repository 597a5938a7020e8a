"""Logins at an identity provider, as if it had answered. It is never called."""

from __future__ import annotations

import secrets
from datetime import timedelta
from typing import Final
from uuid import UUID

from pydantic import JsonValue

from partywall.core.resources import Resources
from partywall.core.security.one_time import OneTimeValues, new_secret
from partywall.features.identities.constants import LOGINS, PROOFS
from partywall.features.identities.external_login import challenge_of, cookie_of
from partywall.testing.isolation.database import Superuser

PROVIDER: Final = "github"
_RETURN_TO: Final = "https://app.partywall.test/signed-in"
SETTINGS: Final[dict[str, JsonValue]] = {
    "providers": {PROVIDER: {"client_id": "attack", "client_secret": "only for the attack"}},
    "return_addresses": _RETURN_TO,
}
_HOUR: Final = timedelta(hours=1)


def login_start(state: str) -> dict[str, str]:
    return {"return_to": _RETURN_TO, "code_challenge": challenge_of(new_secret()), "state": state}


async def login_answer(resources: Resources, client_state: str) -> tuple[dict[str, str], str]:
    """The query of an answer in which the person refuses, and the cookie of its browser."""
    state, browser = new_secret(), new_secret()
    login: list[JsonValue] = [
        PROVIDER, new_secret(), new_secret(), _RETURN_TO, challenge_of(new_secret()), client_state,
    ]  # fmt: skip
    values = OneTimeValues(resources.cache, resources.secrets.box(LOGINS), "login")
    await values.put(f"{state} {browser}", login, _HOUR)
    return {"state": state, "error": "access_denied"}, f"{cookie_of(state)}={browser}"


async def proof(resources: Resources, address: str) -> dict[str, JsonValue]:
    """A code for a new identity with this address, and its verifier."""
    code, verifier = new_secret(), new_secret()
    identity: list[JsonValue] = [
        challenge_of(verifier), PROVIDER, "https://provider.partywall.test", secrets.token_hex(16), address, None,
    ]  # fmt: skip
    values = OneTimeValues(resources.cache, resources.secrets.box(PROOFS), "proof")
    await values.put(code, identity, _HOUR)
    return {"code": code, "code_verifier": verifier}


async def linked(superuser: Superuser, account: UUID) -> str:
    return str(
        await superuser.value(
            "INSERT INTO identity (id, account_id, issuer, subject, provider)"
            " VALUES (uuidv7(), $1, 'https://provider.partywall.test', $2, $3) RETURNING id",
            account, secrets.token_hex(16), PROVIDER,
        )
    )  # fmt: skip
