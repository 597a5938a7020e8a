"""Operator commands. `sessions` belong to the migration owner, because the runtime role sees no accounts."""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from uuid import UUID

from pydantic import ValidationError

from partywall.core.clock import utc_now
from partywall.core.db.session import AsyncSession, Sessions
from partywall.core.errors import InvalidInputError
from partywall.core.field_errors import CODES, FieldCode, pointer
from partywall.core.security import keys
from partywall.core.security.passwords import Passwords
from partywall.core.security.secrets import SecretKeeper
from partywall.features.accounts.constants import COUNTED_ADDRESSES
from partywall.features.accounts.email_address import normalised
from partywall.features.accounts.exceptions import AccountNotFoundError, AddressTakenError
from partywall.features.accounts.failure_repository import FailureCounter
from partywall.features.accounts.known_networks import hash_of_address
from partywall.features.accounts.operator_repository import OperatorRepository, all_accounts
from partywall.features.accounts.schemas import Registration

_GENERATED_BYTES: Final = 18
# Added to a token's lifetime for clock skew, and because processes read the keys once a minute.
_MARGIN: Final = timedelta(minutes=2)


@dataclass(frozen=True, slots=True)
class GivenPassword:
    """`password` is the generated password, or None if the operator chose it."""

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
    """`kid` signs from `active_at`. Tokens of former keys are accepted until `former_until`."""

    kid: str
    active_at: datetime
    former_until: datetime


async def create_user(
    sessions: Sessions, passwords: Passwords, email: str, password: str | None = None, full_name: str | None = None
) -> GivenPassword:
    """Create a verified account. Raises InvalidInputError or AddressTakenError."""
    generated = secrets.token_urlsafe(_GENERATED_BYTES) if password is None else None
    wanted = _wanted(email, password if generated is None else generated, full_name)
    password_hash = await passwords.hash(wanted.password)
    async with sessions.begin() as session:
        made = await OperatorRepository(session).add(wanted.email, password_hash, wanted.full_name)
    if made is None:
        raise AddressTakenError
    return GivenPassword(made, wanted.email, generated)


async def list_users(sessions: Sessions) -> list[ListedUser]:
    """All users, sorted by address."""
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
    """Disable an account and end its sessions. Raises AccountNotFoundError.

    Its access tokens are refused within seconds, or at once if the caller announces the revocation.
    """
    async with sessions.begin() as session:
        return _found(await OperatorRepository(session).disable(_address(email)))


async def enable_user(sessions: Sessions, email: str) -> UUID:
    """Undo `disable_user`; ended sessions stay ended. Raises AccountNotFoundError."""
    async with sessions.begin() as session:
        return _found(await OperatorRepository(session).enable(_address(email)))


async def verify_user(sessions: Sessions, keeper: SecretKeeper, email: str) -> UUID:
    """Mark the address as verified and forget failed logins, like a confirmation. Raises AccountNotFoundError."""
    address = _address(email)
    async with sessions.begin() as session:
        await _lift(session, keeper, address)
        return _found(await OperatorRepository(session).verify(address))


async def unlock_user(sessions: Sessions, keeper: SecretKeeper, email: str) -> UUID:
    """Forget an account's failed logins from every network. Raises AccountNotFoundError."""
    address = _address(email)
    async with sessions.begin() as session:
        await _lift(session, keeper, address)
        return _found(await OperatorRepository(session).find(address))


async def set_password(
    sessions: Sessions, passwords: Passwords, keeper: SecretKeeper, email: str, password: str | None = None
) -> GivenPassword:
    """Set a password, end every session and forget failed logins. Raises InvalidInputError or AccountNotFoundError."""
    generated = secrets.token_urlsafe(_GENERATED_BYTES) if password is None else None
    wanted = _wanted(email, password if generated is None else generated, None)
    password_hash = await passwords.hash(wanted.password)
    async with sessions.begin() as session:
        await _lift(session, keeper, wanted.email)
        changed = _found(await OperatorRepository(session).set_password(wanted.email, password_hash))
    return GivenPassword(changed, wanted.email, generated)


async def rotate_keys(
    sessions: Sessions, keeper: SecretKeeper, *, access_token_ttl: timedelta, at_once: bool = False
) -> RotatedKey:
    """Make a new signing key, published some minutes before it signs. Former keys are kept until their tokens expire.

    Use `at_once` after a leak: the new key signs now, and every token issued before is refused.
    """
    now, box = utc_now(), keeper.box(keys.SIGNING_KEYS)
    active_at = now if at_once else now + keys.PUBLISHED_AHEAD
    # The margin makes the old keys expire at once even on slow clocks.
    until = now - _MARGIN if at_once else active_at + access_token_ttl + _MARGIN
    async with sessions.begin() as session:
        kid = await keys.rotate(session, box, active_at=active_at, until=until)
    return RotatedKey(kid, active_at, max(until, now))


def _wanted(email: str, password: str | None, full_name: str | None) -> Registration:
    """Apply the validation of a registration."""
    given = {"email": email, "password": password, "full_name": full_name}
    try:
        return Registration.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_input=False)[0]
        field, code = pointer(first["loc"]), CODES.get(first["type"], FieldCode.INVALID)
        message = f"{field.removeprefix('/')}: {first['msg']}".removeprefix(": ")
        raise InvalidInputError(field, code, message) from None  # lint: allow dropped-cause - it quotes the password


async def _lift(session: AsyncSession, keeper: SecretKeeper, address: str) -> None:
    await FailureCounter(session).lift(hash_of_address(keeper.signer(COUNTED_ADDRESSES), address))


def _address(email: str) -> str:
    try:
        return normalised(email)
    except ValueError as error:
        raise InvalidInputError("/email", FieldCode.BAD_FORMAT, "Not a valid e-mail address") from error


def _found(account_id: UUID | None) -> UUID:
    if account_id is None:
        raise AccountNotFoundError
    return account_id
