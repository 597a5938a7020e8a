"""Learns of credentials that other processes have revoked."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final
from uuid import UUID

import structlog
from sqlalchemy.exc import SQLAlchemyError

from partywall.core.cache_keys import CREDENTIALS
from partywall.core.events.listener import Listener
from partywall.core.events.log_tailer import LogTailers
from partywall.core.log_masks import error_fields
from partywall.core.security.api_keys import ApiKeys
from partywall.core.security.keys import KeyRing
from partywall.core.security.revocations import Revocation, Revoked
from partywall.core.security.supabase import SupabaseTokens
from partywall.core.security.tokens import AccessTokens

log = structlog.get_logger(__name__)

# How late a process notices by itself; less than RECHECK_SECONDS of the credential cache.
LOOK_SECONDS: Final = 4.0


class CredentialWatch:
    """Applies revocations from other processes: at once if their message arrives, otherwise within seconds."""

    def __init__(
        self,
        keys: KeyRing,
        tokens: AccessTokens,
        api_keys: ApiKeys,
        tailers: LogTailers,
        foreign: SupabaseTokens | None = None,
    ) -> None:
        self._keys = keys
        self._tokens = tokens
        self._api_keys = api_keys
        self._tailers = tailers
        self._foreign = foreign
        self._look = asyncio.Event()
        keys.on_loss = self._end_all_tokens
        self._ends: dict[Revoked, Callable[[UUID], None]] = {
            Revoked.SESSION: self._end_session,
            Revoked.ACCOUNT: self._end_account,
            Revoked.API_KEY: self._end_api_key,
        }

    def listen(self, listener: Listener) -> None:
        listener.listen(CREDENTIALS, self.hear)

    def hear(self, message: bytes) -> None:
        """Applies a message. An empty one marks the start of the subscription: messages may have been missed."""
        revoked = Revocation.read(message) if message else Revocation(Revoked.SIGNING_KEYS)
        if revoked is None:
            return
        if revoked.kind is Revoked.SIGNING_KEYS:
            self._look.set()
        elif revoked.id is not None:
            self._ends[revoked.kind](revoked.id)

    async def run(self) -> None:
        while True:
            try:
                async with asyncio.timeout(LOOK_SECONDS):
                    await self._look.wait()
            except TimeoutError:
                pass
            self._look.clear()
            if not self._keys.used:
                continue
            try:
                await self._keys.refresh()
            except (SQLAlchemyError, OSError) as error:
                log.warning("signing_keys_unread", **error_fields(error))

    def _end_session(self, session_id: UUID) -> None:
        self._tokens.drop_session(session_id)
        self._tailers.look_again(lambda caller: caller.session_id == session_id)

    def _end_account(self, account_id: UUID) -> None:
        self._tokens.drop_account(account_id)
        if self._foreign is not None:
            self._foreign.drop_account(account_id)
        self._tailers.look_again(lambda caller: caller.principal.id == account_id)

    def _end_api_key(self, key_id: UUID) -> None:
        self._api_keys.drop(key_id)
        self._tailers.look_again(lambda caller: caller.principal.id == key_id)

    def _end_all_tokens(self) -> None:
        """A signing key was removed before its time: ends all tokens so far, and all streams opened with one."""
        log.warning("signing_key_gone")
        self._tokens.drop_all()
        self._tailers.expire(lambda caller: caller.session_id is not None)
