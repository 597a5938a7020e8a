from __future__ import annotations

import asyncio
from datetime import timedelta

import httpx2
import pytest
from structlog.testing import capture_logs

from partywall.core.outgoing.destinations import RefusedDestinationError
from partywall.features.webhooks.sender import CONNECT_SECONDS, NOT_DELIVERED, OutgoingRequest, send

LETTER = OutgoingRequest("https://example.com/", {}, "{}")


@pytest.mark.parametrize("seconds", [2, 10, 60])
async def test_a_receiver_has_as_long_as_the_settings_say(seconds: int) -> None:
    """It replaces the client's default of five seconds for each step."""
    asked: list[httpx2.Request] = []

    def answer(request: httpx2.Request) -> httpx2.Response:
        asked.append(request)
        return httpx2.Response(204)

    async with httpx2.AsyncClient(transport=httpx2.MockTransport(answer)) as client:
        outcome = await send(client, LETTER, timedelta(seconds=seconds))
    assert outcome.succeeded
    connect = min(seconds, CONNECT_SECONDS)
    assert asked[0].extensions["timeout"] == {"connect": connect, "read": seconds, "write": seconds, "pool": seconds}


@pytest.mark.parametrize(
    "error",
    [
        httpx2.NetworkError("[Errno 111] Connection refused"),
        httpx2.NetworkError("[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify failed"),
        httpx2.NetworkError("the name cannot be resolved"),
        httpx2.TimeoutException(""),
        TimeoutError(),
        httpx2.ProtocolError("illegal status line"),
        httpx2.InvalidURL("no host"),
        RefusedDestinationError("The address is in a network that is not allowed"),
    ],
)
async def test_a_tenant_does_not_learn_why_there_was_no_answer(error: Exception) -> None:
    """Otherwise a webhook would be a port scanner; the operator finds the cause in the log."""

    def fail(_: httpx2.Request) -> httpx2.Response:
        raise error

    loop = asyncio.get_running_loop()
    started = loop.time()
    with capture_logs() as logs:
        async with httpx2.AsyncClient(transport=httpx2.MockTransport(fail)) as client:
            outcome = await send(client, LETTER, timedelta(seconds=0.1))
    assert loop.time() - started > 0.09  # as long as the timeout
    assert (outcome.status_code, outcome.error) == (None, NOT_DELIVERED)
    assert [(entry["reason"], entry["error"]) for entry in logs] == [(str(error), type(error).__name__)]
