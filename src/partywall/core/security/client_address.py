from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, IPv6Network, ip_address, ip_network

type Address = IPv4Address | IPv6Address

UNKNOWN = "unknown"
_SUBSCRIBER_PREFIX = 64
# No request has come through more proxies of ours; the header is the client's to lengthen.
_MOST_HOPS = 32


class ClientAddresses:
    """Says which address a request came from; believes `X-Forwarded-For` only as far as trusted proxies wrote it."""

    def __init__(self, trusted_proxies: Iterable[str]) -> None:
        """Raises ValueError for what is neither an address nor a network."""
        self._trusted = tuple(ip_network(each, strict=False) for each in trusted_proxies)

    def of(self, peer: str | None, forwarded_for: Iterable[str]) -> str:
        """The client's address, or for IPv6 its /64, which is what one subscriber holds.

        `forwarded_for` are the header's values in the order of their arrival.
        """
        address = _parse(peer or "")
        if address is None:
            return UNKNOWN
        hops = [hop for value in forwarded_for for hop in value.split(",")][-_MOST_HOPS:]
        while hops and self._is_trusted(address):
            claimed = _parse(hops.pop())
            if claimed is None:
                break
            address = claimed
        return _subscriber(address)

    def of_peer(self, peer: str | None) -> str | None:
        """Like `of`, for a connection that has said nothing yet; None for a proxy, which speaks for many."""
        address = _parse(peer or "")
        if address is None:
            return UNKNOWN
        return None if self._is_trusted(address) else _subscriber(address)

    def _is_trusted(self, address: Address) -> bool:
        return any(address.version == network.version and address in network for network in self._trusted)


def _parse(text: str) -> Address | None:
    """`192.0.2.1`, `192.0.2.1:80`, `2001:db8::1` or `[2001:db8::1]:80`."""
    text = text.strip()
    if text.startswith("["):
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:
        text = text.partition(":")[0]
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _subscriber(address: Address) -> str:
    if isinstance(address, IPv4Address):
        return str(address)
    return str(IPv6Network((int(address), _SUBSCRIBER_PREFIX), strict=False))
