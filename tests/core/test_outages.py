"""Which errors mean that an engine is unreachable: one table, used by every layer."""

from __future__ import annotations

import errno

import asyncpg
import pytest
import redis.exceptions as cache
from httpx2 import ASGITransport, AsyncClient
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from starlette.types import Receive, Scope, Send

from partywall.core.db.driver_errors import NoConnectionError
from partywall.core.http.forwarded_headers import ForwardedNotice
from partywall.core.http.middleware import RequestContext
from partywall.core.outages import outage_of
from partywall.core.security.client_address import ClientAddresses
from partywall.logs import access_log
from partywall.settings import LogSettings

AWAY = (
    NoConnectionError(errno.ECONNREFUSED, "refused"),
    PoolTimeoutError("none free"),
    asyncpg.CannotConnectNowError("starting"),
    asyncpg.AdminShutdownError("terminated"),
    asyncpg.ProtocolViolationError("query_wait_timeout"),
    asyncpg.InterfaceError("closed"),
    asyncpg.InternalClientError("lost"),
    cache.ConnectionError("refused"),
    cache.TimeoutError("slow"),
    cache.BusyLoadingError("LOADING"),
    cache.ReadOnlyError("READONLY"),
    OSError(errno.EIO, "Input/output error"),
    OSError(errno.ESTALE, "Stale file handle"),
    OSError(errno.EMFILE, "Too many open files"),
    OSError(errno.ENOSPC, "No space left on device"),
    ExceptionGroup("", [NoConnectionError(), ExceptionGroup("", [cache.TimeoutError()])]),
)
OURS = (
    ValueError("x"),
    FileNotFoundError(errno.ENOENT, "x"),
    cache.ResponseError("WRONGTYPE"),
    cache.DataError("x"),
    asyncpg.UndefinedTableError("x"),
    ExceptionGroup("", [NoConnectionError(), ValueError("x")]),
)


async def answer_to(error: Exception) -> tuple[int, str]:
    """The outermost layer's response to an error that no inner layer has handled."""

    async def fails(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise error

    app = RequestContext(fails, access_log(LogSettings()), ForwardedNotice(ClientAddresses(())))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://test") as client:
        answer = await client.post("/", json={})
    return answer.status_code, answer.json()["code"]


@pytest.mark.parametrize("error", AWAY, ids=repr)
async def test_outages_are_recognised_in_the_outermost_layer(error: Exception) -> None:
    found = outage_of(error)
    assert found is not None
    assert int(found.headers["Retry-After"]) > 0
    assert await answer_to(error) == (503, found.code)


@pytest.mark.parametrize("error", OURS, ids=repr)
async def test_internal_errors_are_no_outage(error: Exception) -> None:
    assert await answer_to(error) == (500, "internal_error")
