"""No HTTP client of the program keeps a cookie that a real loopback server sets."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from partywall.adapters.language_models.catalogue import create_model_client
from partywall.adapters.language_models.options import ModelOptions
from partywall.client.api import Api
from partywall.core.outgoing.endpoints import open_endpoint_client, tls_context
from partywall.core.outgoing.guarded_transport import Outgoing
from partywall.core.outgoing.retries import Retries
from tests.core.outgoing.test_guarded_transport import LOOSE, Names, serving

MODELS = ModelOptions(
    default=None, by_agent={}, fallbacks=(), base_url=None, api_key=None, keys={}, timeout=5, retries=0, connections=4
)
COOKIES = ["owner=one", "owner=one; Domain={domain}; Path=/", "owner=one; Max-Age=3600"]

type Ask = Callable[[str, str], Awaitable[None]]


async def by_guarded(first: str, second: str) -> None:
    outgoing = Outgoing.open(LOOSE, Names([["127.0.0.1"]]))
    async with outgoing.client:
        for url in (first, first, second):
            await outgoing.client.get(url)


async def by_endpoint(first: str, second: str) -> None:
    async with open_endpoint_client(Retries(0), tls_context(None)) as client:
        for url in (first, first, second):
            await client.get(url)


async def by_models(first: str, second: str) -> None:
    async with create_model_client(MODELS) as client:
        for url in (first, first, second):
            await client.get(url)


async def by_command_line(first: str, second: str) -> None:
    with Api(first) as api:
        for url in (first, first, second):
            await asyncio.to_thread(api.get, url)


@pytest.mark.parametrize("cookie", COOKIES, ids=["host", "domain", "lasting"])
@pytest.mark.parametrize("ask", [by_guarded, by_endpoint, by_models, by_command_line])
async def test_no_client_keeps_or_sends_a_cookie(ask: Ask, cookie: str) -> None:
    """It is sent neither back to its server nor to another that its domain matches; cookies ignore ports."""
    named = ask is by_guarded
    domain = "shop.example" if named else "127.0.0.1"
    first, second = ("one.shop.example", "two.shop.example") if named else (domain, domain)
    async with serving() as one, serving() as other:
        one.answer = other.answer = _setting(cookie.format(domain=domain))
        await ask(f"http://{first}:{one.port}/", f"http://{second}:{other.port}/")
    assert (len(one.requests), len(other.requests)) == (2, 1)
    assert [text for text in one.requests + other.requests if "\r\ncookie:" in text.lower()] == []


def _setting(cookie: str) -> bytes:
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\nSet-Cookie: {cookie}"
    return f"{head}\r\n\r\n{{}}".encode()
