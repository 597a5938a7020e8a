from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final
from uuid import UUID

import structlog

from partywall.core.db.session import AsyncReadSession, AsyncSession, bind_principal
from partywall.core.errors import PartywallError
from partywall.core.page_request import PageRequest
from partywall.core.pagination import Cursors
from partywall.core.schemas import Page
from partywall.core.security.revocation_check import check_not_revoked
from partywall.core.tenancy import Principal
from partywall.features.accounts.exceptions import AccountGoneError, RegistrationClosedError
from partywall.features.accounts.service import get_user
from partywall.features.accounts.session_start import SessionStarter
from partywall.features.accounts.token_grant import TokenPair
from partywall.features.identities.constants import MAX_IDENTITIES
from partywall.features.identities.exceptions import (
    AccountDisabledError,
    AddressUnconfirmedError,
    AddressUnverifiedError,
    IdentityNotFoundError,
    IdentityTakenError,
    InvalidCodeError,
    LastLoginError,
    TooManyIdentitiesError,
)
from partywall.features.identities.models import Identity as IdentityRow
from partywall.features.identities.repository import KEYSET, IdentityGateway, IdentityRepository, ProvedIdentity
from partywall.features.identities.schemas import Identity, IdentityQuery

log = structlog.get_logger(__name__)

_REFUSALS: Final[dict[str, type[PartywallError]]] = {
    "unverified": AddressUnverifiedError,
    "unconfirmed": AddressUnconfirmedError,
    "closed": RegistrationClosedError,
    "disabled": AccountDisabledError,
    "gone": AccountGoneError,
    "full": TooManyIdentitiesError,
    "taken": IdentityTakenError,
    "absent": IdentityNotFoundError,
    "last": LastLoginError,
}


async def list_identities(
    session: AsyncReadSession, account_id: UUID, query: IdentityQuery, cursors: Cursors
) -> Page[Identity]:
    wanted = PageRequest(query, cursors, KEYSET, ("identities", account_id))
    await get_user(session, account_id)
    own = IdentityRepository(session, account_id)
    return await wanted.page(own.page, own.count, _present, lambda each: (each.created_at, each.id))


def _present(row: IdentityRow) -> Identity:
    return Identity.model_validate(row, from_attributes=True)


@dataclass(frozen=True, slots=True)
class IdentityLoginService:
    """Logs in by an identity that has been proved."""

    session: AsyncSession
    starter: SessionStarter
    admission: str

    async def log_in(self, proved: ProvedIdentity | None, user_agent: str | None) -> TokenPair:
        """Find the account, link one with the same confirmed address, or create it, and start a session.

        Raises InvalidCodeError, AddressUnverifiedError, AddressUnconfirmedError, RegistrationClosedError or
        AccountDisabledError.
        """
        if proved is None:
            raise InvalidCodeError
        await self.starter.prepare()
        account_id, outcome = await IdentityGateway(self.session).enter(proved, self.admission)
        if account_id is None:
            raise _REFUSALS[outcome]
        if outcome != "known":
            log.info("identity_first_used", account_id=str(account_id), provider=proved.provider, outcome=outcome)
        await bind_principal(self.session, Principal.user(account_id))
        return await self.starter.start(account_id, user_agent)


@dataclass(frozen=True, slots=True)
class IdentityService:
    """Links and removes the caller's identities. `providers` are the names of those that work."""

    session: AsyncSession
    account_id: UUID
    providers: Sequence[str]
    confirmed_only: bool

    async def link(self, proved: ProvedIdentity | None) -> Identity:
        """Raises InvalidCodeError, AddressUnconfirmedError, IdentityTakenError, TooManyIdentitiesError or
        AccountGoneError."""
        if proved is None:
            raise InvalidCodeError
        identity_id, outcome = await IdentityGateway(self.session).link(proved, MAX_IDENTITIES)
        if identity_id is None:
            raise _REFUSALS[outcome]
        # The account's row is locked, so nobody can end the caller's session between this and the commit.
        await check_not_revoked(self.session)
        log.info("identity_linked", account_id=str(self.account_id), provider=proved.provider)
        return _present(await IdentityRepository(self.session, self.account_id).get(identity_id))

    async def remove(self, identity_id: UUID) -> None:
        """Raises IdentityNotFoundError, or LastLoginError if the account could not log in any more."""
        await get_user(self.session, self.account_id)
        gateway = IdentityGateway(self.session)
        outcome = await gateway.remove(identity_id, self.providers, confirmed_only=self.confirmed_only)
        if outcome in _REFUSALS:
            raise _REFUSALS[outcome]
        log.info("identity_removed", account_id=str(self.account_id))
