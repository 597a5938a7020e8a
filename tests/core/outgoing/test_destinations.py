from __future__ import annotations

import httpx2
import pytest

from partywall.core.outgoing.destinations import LONGEST, Destinations, RefusedDestinationError

PUBLIC = ["8.8.8.8", "93.184.215.14", "2606:4700::1111", "2a00:1450:4001:830::200e"]
NOT_PUBLIC = [
    "127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1", "169.254.1.1",
    "169.254.169.254", "100.64.0.1", "100.100.100.200", "168.63.129.16", "192.0.0.192", "192.0.2.1", "198.18.0.1",
    "198.51.100.1", "203.0.113.1", "192.88.99.1", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255",
    "0.0.0.0",  # noqa: S104 - nothing is bound to it
    "::", "::1", "fe80::1", "fe80::1%eth0", "fc00::1", "fd00:ec2::254", "fec0::1", "ff02::1", "2001:db8::1",
    "3fff::1", "2002:7f00:1::1", "2001:0:5ef5:79fb::1", "64:ff9b::7f00:1", "64:ff9b::808:808", "64:ff9b:1::a00:1",
    "::ffff:127.0.0.1", "::ffff:8.8.8.8", "::127.0.0.1", "::7f00:1", "100::1", "5f00::1",
    "::ffff:0:127.0.0.1", "::ffff:0:7f00:1", "0:0:0:0:0:ffff:a9fe:a9fe", "::a9fe:a9fe", "64:ff9b::a9fe:a9fe",
    "64:ff9b:1:ffff::a00:1", "2002:a9fe:a9fe::", "fd00:ec2::254%1", "ff05::1", "2001:10::1", "192.0.0.8", "0.1.2.3",
    "localhost", "2130706433", "127.1", "0x7f.0.0.1", "127.0.0.1.", "\uff11\uff12\uff17.0.0.1", "0177.0.0.1", "",
]  # fmt: skip


@pytest.mark.parametrize("address", PUBLIC)
def test_public_addresses_are_allowed(address: str) -> None:
    assert Destinations().admits(address)


@pytest.mark.parametrize("address", NOT_PUBLIC)
def test_private_addresses_are_refused(address: str) -> None:
    assert not Destinations().admits(address)


def test_configured_private_networks_are_allowed() -> None:
    inner = Destinations.of(plain_http=False, networks=["10.1.0.0/16", "fd12::/16", "64:ff9b::/96"], ports=[])
    assert all(inner.admits(each) for each in ("10.1.2.3", "fd12::1", "64:ff9b::808:808", "8.8.8.8"))
    assert not any(inner.admits(each) for each in ("10.2.0.1", "fd13::1", "127.0.0.1", "::ffff:10.1.2.3"))


@pytest.mark.parametrize(
    "url",
    [
        "https://example.com/hook", "https://example.com", "https://example.com:8443/a?b=c", "https://[2606:4700::1]/",
        "https://bücher.example/straße", "https://example.com:80/",
    ],
)  # fmt: skip
def test_an_address_on_the_internet_is_accepted(url: str) -> None:
    Destinations().parse(url)


@pytest.mark.parametrize(
    "url",
    [
        "http://example.com/", "ftp://example.com/", "file:///etc/passwd", "gopher://example.com/", "example.com",
        "//example.com/", "/hook", "https://", "https:///hook", "https://user@example.com/",
        "https://user:pw@example.com/", "https://:pw@example.com/", "https://example.com/#part",
        "https://example.com:22/", "https://example.com:25/", "https://example.com:993/", "https://example.com:99999/",
        "https://example.com:0/",
        "https://example.com:port/", "https://exa mple.com\r\nx: y/", "https://example.com/\x00", "https://[::1/",
        "https://example.com:\uff18\uff14\uff14\uff13/", "https://example.com:8_443/", "https://example.com:+8443/",
        "https://example.com: 8443/", "https://example.com:-1/", "https://example.com:8443:1/",
        "https://@example.com/", "https://a@b@example.com/", "https://example.com\\@127.0.0.1/",
        "https://127.0.0.1\\.example.com/", "https://127.0.0.1%2f.example.com/", "https://%6cocalhost/",
        "https://[fe80::1%25eth0]/", "https://[::1]@example.com/", "https://xn--/", "https://xn--a\ud800/",
        "https://\u2460\u2461\u2466.0.0.1/", "https://\u24dbocalhost/", "https://0177.0.0.1/",
        "https://example.com/" + "a" * LONGEST, "", "javascript:alert(1)", "unix:///run/x.sock",
        "https://example.com/ ", " https://example.com/", "https://example.com /", "https://example.com/a b",
        "https://example.com/?a= b", "https://example.com/\u00a0", "https://example.com\u3000",
    ],
)  # fmt: skip
def test_an_invalid_url_is_refused(url: str) -> None:
    with pytest.raises(RefusedDestinationError):
        Destinations().parse(url)


@pytest.mark.parametrize(
    "host",
    [
        "2130706433", "0x7f000001", "0x7F.1", "127.1", "127.0.1", "0177.0.0.1", "127.0.0.1.", "127.0.0.0x1", "1.0x",
        "127.0.0.256", "1.2.3.4.5", "017700000001", "127\u30020\u30020\u30021", "127\uff0e0\uff0e0\uff0e1",
        "127\uff610\uff610\uff611", "\uff11\uff12\uff17.0.0.1", "localhos\uff54", "example\u3002com", "example.1",
    ],
)  # fmt: skip
def test_an_ambiguous_host_is_refused(host: str) -> None:
    everywhere = Destinations.of(plain_http=True, networks=["0.0.0.0/0", "::/0"], ports=[])
    for url in (f"http://{host}:9000/", f"https://{host}"):
        with pytest.raises(RefusedDestinationError):
            everywhere.parse(url)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "8.8.8.8", "[::1]", "[::127.0.0.1]", "1.example", "3com.example", "0x.de"]
)
def test_unambiguous_numeric_hosts_are_accepted(host: str) -> None:
    Destinations.of(plain_http=True, networks=["127.0.0.0/8"], ports=[]).parse(f"http://{host}:9000/")


def test_a_stored_url_is_validated_again_on_every_call() -> None:
    with pytest.raises(RefusedDestinationError):
        Destinations(plain_http=True).check(httpx2.URL("http://2130706433/"))


def test_plain_http_and_further_ports_are_for_the_settings_to_allow() -> None:
    loose = Destinations.of(plain_http=True, networks=[], ports=[22])
    loose.parse("http://example.com/")
    loose.parse("https://example.com:22/")
    with pytest.raises(RefusedDestinationError):
        loose.parse("https://example.com:23/")
