from __future__ import annotations

import pytest
from structlog.testing import capture_logs

from partywall.core.http.forwarded_headers import ForwardedNotice
from partywall.core.security.client_address import ClientAddresses

FORWARDED_FOR = (b"x-forwarded-for", b"203.0.113.9")
FORWARDED = (b"forwarded", b"for=203.0.113.9")


def logged_reasons(notice: ForwardedNotice, peer: str, *headers: tuple[bytes, bytes]) -> list[str]:
    scope = {"type": "http", "client": (peer, 1), "headers": list(headers)}
    with capture_logs() as logs:
        notice(scope)
    return [each["reason"] for each in logs if each["event"] == "client_address_unknown"]


@pytest.mark.parametrize("header", [FORWARDED_FOR, FORWARDED])
def test_a_forwarded_header_from_an_untrusted_peer_is_logged_once(header: tuple[bytes, bytes]) -> None:
    notice = ForwardedNotice(ClientAddresses(["10.0.0.0/8"]))
    assert logged_reasons(notice, "192.0.2.1", (b"host", b"x")) == []
    [reason] = logged_reasons(notice, "192.0.2.1", header)
    assert "HTTP__TRUSTED_PROXIES" in reason
    for _ in range(3):
        assert logged_reasons(notice, "192.0.2.2", header) == []


def test_a_trusted_proxy_with_another_header_is_logged(monkeypatch: pytest.MonkeyPatch) -> None:
    notice = ForwardedNotice(ClientAddresses(["10.0.0.0/8"]))
    assert logged_reasons(notice, "10.0.0.1", FORWARDED_FOR) == []
    assert logged_reasons(notice, "10.0.0.1", FORWARDED_FOR, FORWARDED) == []
    [reason] = logged_reasons(notice, "10.0.0.1", FORWARDED)
    assert "X-Forwarded-For" in reason
