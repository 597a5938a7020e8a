"""One request or job is one transaction, committed before the answer. No other code commits."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import NewType

from sqlalchemy import Text, bindparam, func, select
from sqlalchemy.ext import asyncio as sa

from partywall.core.tenancy import ProjectScope

# Distinct types for the type checker only: code that writes does not accept a read session.
AsyncReadSession = NewType("AsyncReadSession", sa.AsyncSession)
AsyncSession = NewType("AsyncSession", AsyncReadSession)

type Hook = Callable[[AsyncSession], Awaitable[None]]
# Told how many events of a project were committed; neither waits nor fails.
type Announce = Callable[[ProjectScope, int], None]

_BEFORE_COMMIT = "partywall.before_commit"
_AFTER_COMMIT = "partywall.after_commit"
_ENQUEUED = "partywall.enqueued"
_APPENDED = "partywall.appended"
_BIND_PRINCIPAL = select(func.set_config("partywall.principal", bindparam("principal", type_=Text), True))


def before_commit(session: AsyncSession, hook: Hook) -> None:
    """Registers a hook to run last in the session's transaction; the same hook runs once."""
    hooks: list[Hook] = session.info.setdefault(_BEFORE_COMMIT, [])
    if hook not in hooks:
        hooks.append(hook)


def after_commit(session: AsyncSession, act: Callable[[], Awaitable[None]]) -> None:
    """Registers work to do after a successful commit. It is lost if the process dies first."""
    session.info.setdefault(_AFTER_COMMIT, []).append(act)


def note_enqueued(session: AsyncSession) -> None:
    """Notes that workers must be woken after the commit, because of a new job."""
    session.info[_ENQUEUED] = True


def note_appended(session: AsyncSession, scope: ProjectScope, events: int) -> None:
    """Notes that so many events must be announced after the commit."""
    session.info.setdefault(_APPENDED, []).append((scope, events))


async def bind_principal(session: AsyncReadSession, principal: object) -> None:
    """Binds the principal to the session's transaction, for tables of the kind `principal`."""
    await session.execute(_BIND_PRINCIPAL, {"principal": str(principal)})


class Sessions:
    """Makes the sessions of one engine: `begin()` to write, `read()` for a read-only transaction.

    A transaction collects the jobs and events of the code that runs in it. After its commit `wake` is called if there
    are new jobs, and `announce` for the events of each project. Neither waits nor fails.
    """

    def __init__(
        self,
        engine: sa.AsyncEngine,
        *,
        wake: Callable[[], None] = lambda: None,
        announce: Announce = lambda *_: None,
    ) -> None:
        self._wake = wake
        self._announce = announce
        self._write = sa.async_sessionmaker(engine, expire_on_commit=False, autoflush=False)
        # One snapshot for all statements of the transaction.
        read_only = engine.execution_options(postgresql_readonly=True, isolation_level="REPEATABLE READ")
        self._read = sa.async_sessionmaker(read_only, expire_on_commit=False, autoflush=False)

    @asynccontextmanager
    async def begin(self) -> AsyncIterator[AsyncSession]:
        """A transaction that commits when the block returns and rolls back when it raises."""
        async with self._write() as raw:
            session = AsyncSession(AsyncReadSession(raw))
            async with raw.begin():
                yield session
                await raw.flush()
                for hook in session.info.get(_BEFORE_COMMIT, ()):
                    await hook(session)
        if session.info.get(_ENQUEUED):
            self._wake()
        for scope, events in session.info.get(_APPENDED, ()):
            self._announce(scope, events)
        for act in session.info.get(_AFTER_COMMIT, ()):
            await act()

    @asynccontextmanager
    async def read(self) -> AsyncIterator[AsyncReadSession]:
        """A read-only transaction with one snapshot; the database rejects writes in it."""
        async with self._read() as raw, raw.begin():
            yield AsyncReadSession(raw)
