from __future__ import annotations

from datetime import timedelta

import httpx
import pytest

from partywall.features.webhooks.sending import CONNECT_SECONDS, Letter, send

LETTER = Letter("https://example.com/", {}, "{}")


@pytest.mark.parametrize("seconds", [2, 10, 60])
async def test_a_receiver_has_as_long_as_the_settings_say(seconds: int) -> None:
    """And not what the client would allow by itself, which is five seconds for each step."""
    asked: list[httpx.Request] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request)
        return httpx.Response(204)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        outcome = await send(client, LETTER, timedelta(seconds=seconds))
    assert outcome.succeeded
    connect = min(seconds, CONNECT_SECONDS)
    assert asked[0].extensions["timeout"] == {"connect": connect, "read": seconds, "write": seconds, "pool": seconds}
