from __future__ import annotations

import pytest

from partywall.core.security.client_address import ClientAddresses, neighbourhood

PROXIES = ("10.0.0.0/8", "192.0.2.7", "fd00::/8")


@pytest.mark.parametrize(
    ("peer", "forwarded", "expected"),
    [
        ("198.51.100.4", [], "198.51.100.4"),
        ("198.51.100.4", ["203.0.113.9"], "198.51.100.4"),
        ("10.1.2.3", ["203.0.113.9"], "203.0.113.9"),
        ("192.0.2.7", ["203.0.113.9"], "203.0.113.9"),
        ("10.1.2.3", ["1.1.1.1, 203.0.113.9"], "203.0.113.9"),
        ("10.1.2.3", ["1.1.1.1", "203.0.113.9, 10.9.9.9"], "203.0.113.9"),
        ("10.1.2.3", ["10.4.4.4, 10.5.5.5"], "10.4.4.4"),
        ("10.1.2.3", ["203.0.113.9:4711"], "203.0.113.9"),
        ("10.1.2.3", ["nonsense"], "10.1.2.3"),
        ("10.1.2.3", ["203.0.113.9, nonsense"], "10.1.2.3"),
        ("10.1.2.3", [""], "10.1.2.3"),
        ("10.1.2.3", ["::ffff:203.0.113.9"], "203.0.113.9"),
        ("::ffff:10.1.2.3", ["203.0.113.9"], "203.0.113.9"),
        ("fd00::1", ["2001:db8:1:2:3:4:5:6"], "2001:db8:1:2::/64"),
        ("fd00::1", ["[2001:db8:1:2::9]:443"], "2001:db8:1:2::/64"),
        ("2001:db8:1:2:aaaa::1", [], "2001:db8:1:2::/64"),
        ("fe80::1%eth0", ["203.0.113.9"], "fe80::/64"),
        ("fd00::1%eth0", ["[2001:db8:1:2::9%25eth0]:443"], "2001:db8:1:2::/64"),
        ("10.1.2.3", ['"[2001:db8:1:2::9]:443"'], "2001:db8:1:2::/64"),
        ("10.1.2.3", [",".join(["203.0.113.9"] * 500 + ["198.51.100.1"])], "198.51.100.1"),
        ("10.1.2.3", [",".join(["203.0.113.9"] + ["10.9.9.9"] * 500)], "10.9.9.9"),
        ("10.1.2.3", ["203.0.113.9", *["10.9.9.9"] * 500], "10.9.9.9"),
        ("10.1.2.3", ["203.0.113.9,,"], "10.1.2.3"),
        ("10.1.2.3", ["unknown, 203.0.113.9"], "203.0.113.9"),
        (None, ["203.0.113.9"], "unknown"),
        ("testclient", ["203.0.113.9"], "unknown"),
    ],
)
def test_only_trusted_proxies_may_forward_an_address(peer: str | None, forwarded: list[str], expected: str) -> None:
    assert ClientAddresses(PROXIES).of(peer, forwarded) == expected


def test_without_trusted_proxies_forwarded_addresses_are_ignored() -> None:
    assert ClientAddresses(()).of("127.0.0.1", ["203.0.113.9"]) == "127.0.0.1"


def test_an_invalid_network_is_refused() -> None:
    with pytest.raises(ValueError, match="example"):
        ClientAddresses(("example.com",))


@pytest.mark.parametrize(
    ("client", "wider"),
    [
        ("203.0.113.9", "203.0.113.0/24"),
        ("2001:db8:1:2::/64", "2001:db8:1::/48"),
        ("unknown", "unknown"),
    ],
)
def test_neighbours_share_a_wider_network(client: str, wider: str) -> None:
    assert neighbourhood(client) == wider
