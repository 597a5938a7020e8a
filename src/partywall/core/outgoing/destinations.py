"""Where addresses that users give may lead: judged by what is connected to, never by its name."""

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
# What separates labels beside the full stop, and what is a number in decimal, octal or hexadecimal.
_DOTS: Final = frozenset("\u3002\uff0e\uff61")
_NUMBER: Final = re.compile(r"[0-9]+|0[xX][0-9a-fA-F]*")
# Not for everybody, although the registries call them global: a cloud's own server, relays and tunnels into IPv4,
# addresses of a site and of documentation.
_NOT_PUBLIC: Final[tuple[Network, ...]] = tuple(
    ip_network(text)
    for text in (
        "168.63.129.16/32", "192.88.99.0/24", "64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0/96", "2002::/16",
        "2001::/32", "fec0::/10", "3fff::/20",
    )
)  # fmt: skip


class RefusedDestinationError(Exception):
    """An address that this program does not call; says why, in words for whoever gave it."""


@dataclass(frozen=True, slots=True)
class Destinations:
    """`networks` may be called although they are not public; `ports` beside 443, 80 and those from 1024 on."""

    plain_http: bool = False
    networks: tuple[Network, ...] = ()
    ports: frozenset[int] = frozenset()

    @classmethod
    def of(cls, *, plain_http: bool, networks: Iterable[str], ports: Iterable[int]) -> Self:
        return cls(plain_http, tuple(ip_network(each, strict=False) for each in networks), frozenset(ports))

    def parse(self, text: str) -> httpx2.URL:
        """The address, as the client reads it; raises RefusedDestinationError."""
        if len(text) > LONGEST:
            raise RefusedDestinationError(f"An address has at most {LONGEST} characters")
        if any(character.isspace() for character in text):
            raise RefusedDestinationError("An address holds no blanks")
        try:
            url = httpx2.URL(text)
            if "xn--" in url.host:  # punycode, or what is said to be
                idna.decode(url.host)
        except (httpx2.InvalidURL, ValueError) as error:
            raise RefusedDestinationError("This is no address that can be called") from error
        if url.fragment:
            raise RefusedDestinationError("An address to call has no fragment")
        _refuse_ambiguous(text)
        self.check(url)
        return url

    def check(self, url: httpx2.URL) -> None:
        """All that can be said without looking up the name; raises RefusedDestinationError."""
        if url.scheme not in _SCHEME_PORTS or (url.scheme == "http" and not self.plain_http):
            raise RefusedDestinationError("The address must begin with https://")
        if not url.raw_host:
            raise RefusedDestinationError("The address names no host")
        _refuse_numbers(url.raw_host.decode("ascii"))
        if url.userinfo:
            raise RefusedDestinationError("The address may not carry a name or password")
        port = _SCHEME_PORTS[url.scheme] if url.port is None else url.port
        if not (port in _FREE_PORTS or port in _SCHEME_PORTS.values() or port in self.ports):
            raise RefusedDestinationError(f"The port {port} is not called")

    def admits(self, address: str) -> bool:
        """Whether a connection to this IP address may be opened."""
        try:
            parsed = ip_address(address)
        except ValueError:
            return False
        return any(parsed in network for network in self.networks) or _is_public(parsed)


def _refuse_ambiguous(text: str) -> None:
    """What programs read in more than one way: where the host begins and ends, and what a number is."""
    authority = re.split(r"[/?#]", text.partition("://")[2], maxsplit=1)[0]
    if "\\" in authority or "%" in authority:
        raise RefusedDestinationError("The address names its host in a way that can be read as another")
    if any(_stands_for_ascii(character) for character in authority):
        raise RefusedDestinationError("The address names its host in letters that can be read as others")
    if "@" in authority:
        raise RefusedDestinationError("The address may not carry a name or password")
    port = authority.rpartition("]")[2].partition(":")[2]
    if port and not (port.isascii() and port.isdigit()):
        raise RefusedDestinationError("The port is no number")


def _stands_for_ascii(character: str) -> bool:
    """Full-width letters, numbers in circles, and the dots of other scripts."""
    if character.isascii():
        return False
    return character in _DOTS or any(each.isascii() for each in unicodedata.normalize("NFKC", character))


def _refuse_numbers(host: str) -> None:
    """A host whose last part is a number is an IPv4 address to browsers, and must be written as everybody reads it."""
    if ":" in host or not _NUMBER.fullmatch(host.rstrip(".").rpartition(".")[2]):
        return
    try:
        IPv4Address(host)
    except ValueError as error:
        raise RefusedDestinationError("The address names its host by a number that can be read as another") from error


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    if not address.is_global or address.is_multicast or address.is_reserved or address.is_unspecified:
        return False
    return not any(address in network for network in _NOT_PUBLIC)
