"""Which destinations users may give. The IP address that is connected to is validated, never the name alone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from typing import Final, Self

import httpx2
import idna

type Network = IPv4Network | IPv6Network

LONGEST: Final = 2000
_SCHEME_PORTS: Final = {"https": 443, "http": 80}
_FREE_PORTS: Final = range(1024, 65536)
# Label separators other than the full stop; numbers in decimal, octal or hexadecimal.
_DOTS: Final = frozenset("\u3002\uff0e\uff61")
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
# Not public although the registries call them global: a cloud's internal server, relays and tunnels into IPv4,
# site-local and documentation addresses.
_NOT_PUBLIC: Final[tuple[Network, ...]] = tuple(
    ip_network(text)
    for text in (
        "168.63.129.16/32", "192.88.99.0/24", "64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0/96", "2002::/16",
        "2001::/32", "fec0::/10", "3fff::/20",
    )
)  # fmt: skip


class RefusedDestinationError(Exception):
    """An address that may not be called; the message says why and is shown to users."""


@dataclass(frozen=True, slots=True)
class Destinations:
    """`networks` are allowed although not public; `ports` are allowed besides 443, 80 and those from 1024 on."""

    plain_http: bool = False
    networks: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset()

    @classmethod
    def of(cls, *, plain_http: bool, networks: Iterable[str], ports: Iterable[int]) -> Self:
        return cls(plain_http, tuple(ip_network(each, strict=False) for each in networks), frozenset(ports))

    def parse(self, text: str) -> httpx2.URL:
        """The URL, as the HTTP client parses it; raises RefusedDestinationError."""
        if len(text) > LONGEST:
            raise RefusedDestinationError(f"The address must have at most {LONGEST} characters")
        if any(character.isspace() for character in text):
            raise RefusedDestinationError("The address must not contain blanks")
        try:
            url = httpx2.URL(text)
            if "xn--" in url.host:  # punycode, perhaps invalid
                idna.decode(url.host)
        except (httpx2.InvalidURL, ValueError) as error:
            raise RefusedDestinationError("This is not a valid address") from error
        if url.fragment:
            raise RefusedDestinationError("The address must not have a fragment")
        _refuse_ambiguous(text)
        self.check(url)
        return url

    def check(self, url: httpx2.URL) -> None:
        """Checks everything that needs no name lookup; raises RefusedDestinationError."""
        if url.scheme not in _SCHEME_PORTS or (url.scheme == "http" and not self.plain_http):
            raise RefusedDestinationError("The address must begin with https://")
        if not url.raw_host:
            raise RefusedDestinationError("The address has no host")
        _refuse_numbers(url.raw_host.decode("ascii"))
        if url.userinfo:
            raise RefusedDestinationError("The address must not contain a user name or password")
        port = _SCHEME_PORTS[url.scheme] if url.port is None else url.port
        if not (port in _FREE_PORTS or port in _SCHEME_PORTS.values() or port in self.ports):
            raise RefusedDestinationError(f"Port {port} is not allowed")

    def admits(self, address: str) -> bool:
        """Whether a connection to this IP address may be opened."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.networks) or _is_public(parsed)


def _refuse_ambiguous(text: str) -> None:
    """Refuses what programs parse differently: where the host begins and ends, and what counts as a number."""
    authority = re.split(r"[/?#]", text.partition("://")[2], maxsplit=1)[0]
    if "\\" in authority or "%" in authority:
        raise RefusedDestinationError("The host is ambiguous: it contains \\ or %")
    if any(_stands_for_ascii(character) for character in authority):
        raise RefusedDestinationError("The host is ambiguous: it contains characters that can be read as others")
    if "@" in authority:
        raise RefusedDestinationError("The address must not contain a user name or password")
    port = authority.rpartition("]")[2].partition(":")[2]
    if port and not (port.isascii() and port.isdigit()):
        raise RefusedDestinationError("The port is not a number")


def _stands_for_ascii(character: str) -> bool:
    """Whether it is equivalent to ASCII: full-width letters, circled numbers, dots of other scripts."""
    if character.isascii():
        return False
    return character in _DOTS or any(each.isascii() for each in unicodedata.normalize("NFKC", character))


def _refuse_numbers(host: str) -> None:
    """Browsers read a host whose last part is a number as an IPv4 address; only the usual notation is allowed."""
    if ":" in host or not _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        return
    try:
        IPv4Address(host)
    except ValueError as error:
        raise RefusedDestinationError("The host is ambiguous: its number can be read as another address") from error


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    return not any(address in network for network in _NOT_PUBLIC)
