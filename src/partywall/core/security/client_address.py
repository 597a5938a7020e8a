from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final

type Address = IPv4Address | IPv6Address

UNKNOWN = "unknown"
_SUBSCRIBER_PREFIX = 64
# Common sizes of networks with one owner.
_NEIGHBOURHOOD_V4, _NEIGHBOURHOOD_V6 = 24, 48
# The most proxies in a row; earlier entries of the header are not read.
_MOST_HOPS: Final = 16


class ClientAddresses:
    """Finds the client address of a request. Only entries of `X-Forwarded-For` from trusted proxies count."""

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        """Raises ValueError for entries that are neither addresses nor networks."""
        self._trusted = tuple(ip_network(each, strict=False) for each in trusted_proxies)

    def of(self, peer: str | None, forwarded_for: Iterable[str]) -> str:
        """The client's address; for IPv6 its /64, the network of one subscriber.

        `forwarded_for` are the header's values in order of arrival.
        """
        address = _parse(peer or "")
        if address is None:
            return UNKNOWN
        hops = _from_the_right(forwarded_for)
        while self._is_trusted(address):
            claimed = _parse(next(hops, ""))
            if claimed is None:
                break
            address = claimed
        return _subscriber(address)

    def of_peer(self, peer: str | None) -> str | None:
        """Like `of`, for a connection without a request so far; None for a proxy, which serves many clients."""
        address = _parse(peer or "")
        if address is None:
            return UNKNOWN
        return None if self._is_trusted(address) else _subscriber(address)

    def trusts(self, peer: str | None) -> bool:
        """Whether this peer is a trusted proxy."""
        address = _parse(peer or "")
        return address is not None and self._is_trusted(address)

    def _is_trusted(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self._trusted)


def neighbourhood(client: str) -> str:
    """The wider network (/24 or /48) of an address from `ClientAddresses.of`, for sharing scarce resources."""
    address = _parse(client.partition("/")[0])
    if isinstance(address, IPv4Address):
        return str(IPv4Network((int(address), _NEIGHBOURHOOD_V4), strict=False))
    return client if address is None else str(IPv6Network((int(address), _NEIGHBOURHOOD_V6), strict=False))


def _from_the_right(forwarded_for: Iterable[str]) -> Iterator[str]:
    """The last hops, nearest first."""
    left = _MOST_HOPS
    for value in reversed(list(forwarded_for)):
        found = value.rsplit(",", left)[-left:]
        yield from reversed(found)
        left -= len(found)
        if left <= 0:
            return


def _parse(text: str) -> Address | None:
    """`192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`, with or without quotes and a zone."""
    text = text.strip().strip('"')
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text.partition("%")[0])
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _subscriber(address: Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address), _SUBSCRIBER_PREFIX), strict=False))
