from __future__ import annotations

import base64
import secrets
import unicodedata
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Final

from anyio import CapacityLimiter, to_thread
from pwdlib import PasswordHash
from pwdlib.hashers.argon2 import Argon2Hasher

from partywall.core.security.client_address import UNKNOWN
from partywall.core.security.fair_limiter import FairLimiter

# The first recommendation for argon2id in OWASP's Password Storage Cheat Sheet.
_MEMORY_KIB: Final = 19456
_PASSES: Final = 2
_LANES: Final = 1


@dataclass(frozen=True, slots=True)
class PasswordCheck:
    """`replacement` is a new hash to store if the old one was made with other parameters."""

    valid: bool
    replacement: str | None


def _unguessable() -> str:
    """A hash without a password that costs as much to check as a real one."""
    salt, digest = (base64.b64encode(secrets.token_bytes(size)).rstrip(b"=").decode() for size in (16, 32))
    return f"$argon2id$v=19$m={_MEMORY_KIB},t={_PASSES},p={_LANES}${salt}${digest}"


class Passwords:
    """argon2id in threads, at most `concurrency` at once.

    Networks take turns, so one that sends many requests delays only itself. `client` is an address from
    `ClientAddresses.of`. Clients `known` to the account have their own queue.
    """

    def __init__(self, concurrency: int) -> None:
        hasher = Argon2Hasher(time_cost=_PASSES, memory_cost=_MEMORY_KIB, parallelism=_LANES)
        self._hashes = PasswordHash((hasher,))
        self._slots = FairLimiter(concurrency)
        self._threads = CapacityLimiter(concurrency)
        self._nobodys = _unguessable()

    @property
    def waiting(self) -> int:
        """How many callers wait for a slot."""
        return self._slots.waiting

    async def hash(self, password: str, client: str = UNKNOWN) -> str:
        """Raises QueueFullError."""
        prepared = _prepared(password)
        async with self._slots.enter(client):
            return await self._run(lambda: self._hashes.hash(prepared))

    async def check(self, password: str, known_hash: str | None, client: str = UNKNOWN) -> PasswordCheck:
        """Waits for a slot, then does `check_now`; raises QueueFullError."""
        async with self.turn(client):
            return await self.check_now(password, known_hash)

    @asynccontextmanager
    async def turn(self, client: str, *, known: bool = False) -> AsyncIterator[None]:
        """Waits for a slot, in which the caller may `check_now` once; raises QueueFullError."""
        async with self._slots.enter(client, known=known):
            yield

    async def check_now(self, password: str, known_hash: str | None) -> PasswordCheck:
        """Whether the password has this hash. Without a hash: invalid, after the same time."""
        prepared = _prepared(password)
        valid, replacement = await self._run(
            lambda: self._hashes.verify_and_update(prepared, known_hash or self._nobodys)
        )
        return PasswordCheck(valid, replacement)

    async def _run[T](self, work: Callable[[], T]) -> T:
        return await to_thread.run_sync(work, limiter=self._threads)


def _prepared(password: str) -> str:
    """Normalised, so that all keyboards give the same password (NIST SP 800-63B)."""
    return unicodedata.normalize("NFKC", password)
