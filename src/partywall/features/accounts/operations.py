"""What operators do on the command line. `sessions` are of the migration owner: the runtime role sees nobody."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from partywall.core.clock import utc_now
from partywall.core.db.session import Sessions
from partywall.core.errors import InvalidInputError
from partywall.core.security import keys
from partywall.core.security.passwords import Passwords
from partywall.core.security.secrets import SecretKeeper
from partywall.features.accounts.constants import MAX_PASSWORD, MIN_PASSWORD
from partywall.features.accounts.email_address import normalised
from partywall.features.accounts.exceptions import AccountNotFoundError, AddressTakenError
from partywall.features.accounts.operator_repository import OperatorRepository, all_accounts

_GENERATED_BYTES: Final = 18
# Beyond the life of a token, for clocks that differ and processes that read the keys once a minute.
_MARGIN: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class CreatedUser:
    """`password` is the generated one, or None where the operator gave it."""

    id: UUID
    email: str
    password: str | None


@dataclass(frozen=True, slots=True)
class ListedUser:
    id: UUID
    email: str
    full_name: str | None
    verified: bool
    disabled: bool
    created_at: datetime


@dataclass(frozen=True, slots=True)
class RotatedKey:
    """`kid` signs from `active_at`; tokens of the former keys are accepted until `former_until`."""

    kid: str
    active_at: datetime
    former_until: datetime


async def create_user(
    sessions: Sessions, passwords: Passwords, email: str, password: str | None = None, full_name: str | None = None
) -> CreatedUser:
    """A verified account; raises InvalidInputError or AddressTakenError."""
    address = _address(email)
    generated = secrets.token_urlsafe(_GENERATED_BYTES) if password is None else None
    password_hash = await passwords.hash(_acceptable(generated or password or ""))
    async with sessions.begin() as session:
        made = await OperatorRepository(session).add(address, password_hash, full_name)
    if made is None:
        raise AddressTakenError
    return CreatedUser(made, address, generated)


async def list_users(sessions: Sessions) -> list[ListedUser]:
    """Everyone, by address."""
    async with sessions.read() as session:
        rows = await all_accounts(session)
    return [
        ListedUser(
            row.id, row.email, row.full_name, row.email_verified_at is not None, row.disabled_at is not None,
            row.created_at,
        )
        for row in rows
    ]  # fmt: skip


async def disable_user(sessions: Sessions, email: str) -> UUID:
    """Ends every session; tokens are refused within seconds. Raises AccountNotFoundError."""
    async with sessions.begin() as session:
        return _found(await OperatorRepository(session).disable(_address(email)))


async def enable_user(sessions: Sessions, email: str) -> UUID:
    """Undoes `disable_user`, except that the sessions stay ended. Raises AccountNotFoundError."""
    async with sessions.begin() as session:
        return _found(await OperatorRepository(session).enable(_address(email)))


async def verify_user(sessions: Sessions, email: str) -> UUID:
    """Takes the address as verified. Raises AccountNotFoundError."""
    async with sessions.begin() as session:
        return _found(await OperatorRepository(session).verify(_address(email)))


async def rotate_keys(
    sessions: Sessions, keeper: SecretKeeper, *, access_token_ttl: timedelta, at_once: bool = False
) -> RotatedKey:
    """A new signing key, published some minutes before it signs; the former ones outlive their tokens.

    `at_once` is for a key that has leaked: the new one signs now, and every token issued so far is refused.
    """
    ahead = timedelta() if at_once else keys.PUBLISHED_AHEAD
    overlap = timedelta() if at_once else access_token_ttl + _MARGIN
    async with sessions.begin() as session:
        active_at = utc_now() + ahead
        kid = await keys.rotate(session, keeper.box(keys.SIGNING_KEYS), active_at=active_at, until=active_at + overlap)
    return RotatedKey(kid, active_at, active_at + overlap)


def _address(email: str) -> str:
    try:
        return normalised(email)
    except ValueError as error:
        raise InvalidInputError("/email", "Not a valid e-mail address") from error


def _acceptable(password: str) -> str:
    if not MIN_PASSWORD <= len(password) <= MAX_PASSWORD or "\0" in password:
        raise InvalidInputError("/password", f"A password has {MIN_PASSWORD} to {MAX_PASSWORD} characters")
    return password


def _found(account_id: UUID | None) -> UUID:
    if account_id is None:
        raise AccountNotFoundError
    return account_id
