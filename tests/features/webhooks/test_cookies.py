"""Cookies that a receiver sets are never sent, neither to it nor to another project's receiver."""

from __future__ import annotations

import pytest

from partywall.core.outgoing.destinations import Destinations
from partywall.core.outgoing.guarded_transport import Outgoing
from partywall.core.resources import Resources
from partywall.testing.conditions import until
from tests.features.webhooks.conftest import OpenWorkspace
from tests.features.webhooks.receiver import Arrived, Receiver, status
from tests.features.webhooks.webhook_workspace import WebhookWorkspace, dispatching


@pytest.mark.parametrize(
    ("cookie", "hosts"),
    [
        ("owner=one", ("shop.example", "shop.example")),
        ("owner=one; Domain=shop.example; Path=/", ("one.shop.example", "two.shop.example")),
    ],
    ids=["host", "domain"],
)
async def test_no_delivery_carries_the_cookie_of_another(
    open_workspace: OpenWorkspace,
    receiver: Receiver,
    second_receiver: Receiver,
    resources: Resources,
    cookie: str,
    hosts: tuple[str, str],
) -> None:
    async def set_cookie(_: Arrived) -> bytes:
        return status(200, f"Set-Cookie: {cookie}")

    async def found(_host: str, _port: int) -> list[str]:
        return ["127.0.0.1"]

    receiver.answer = set_cookie
    one, other = await open_workspace(), await open_workspace()
    await point_to(one, receiver, hosts[0])
    await point_to(other, second_receiver, hosts[1])
    loose = Destinations.of(plain_http=True, networks=["127.0.0.1/32"], ports=[])
    outgoing = Outgoing.open(loose, found)
    async with outgoing.client, dispatching(resources, outgoing=outgoing):
        await one.happen("document.created", "document.updated")
        await until(lambda: len(receiver.arrived) == 2)
        await other.happen("document.created")
        await until(lambda: len(second_receiver.arrived) == 1)
    for arrived in receiver.arrived + second_receiver.arrived:
        assert "cookie" not in arrived.headers


async def point_to(workspace: WebhookWorkspace, receiver: Receiver, host: str) -> None:
    """Points the project's webhook to the receiver by a host name that only the test resolves."""
    hook = await workspace.hook(receiver.url)
    url = f"http://{host}:{receiver.port}/hook"
    await workspace.users.execute("UPDATE webhook SET url = $2 WHERE id = $1", hook.id, url)
