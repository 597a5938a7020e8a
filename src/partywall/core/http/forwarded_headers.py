from __future__ import annotations

import time
from typing import Final

import structlog
from starlette.types import Scope

from partywall.core.security.client_address import ClientAddresses

log = structlog.get_logger(__name__)

AGAIN_AFTER_SECONDS: Final = 3600.0
_FORWARDED: Final = b"forwarded"
_FORWARDED_FOR: Final = b"x-forwarded-for"
_UNTRUSTED: Final = (
    "a request names its client, but HTTP__TRUSTED_PROXIES does not contain its sender: behind a proxy, all clients"
    " count as one, and one of them can use up the attempts of all"
)
_UNREAD: Final = "a trusted proxy sends only Forwarded, which is not read: configure it to send X-Forwarded-For"


class ForwardedNotice:
    """Logs an error, at most once an hour, when a request names its client in a way that is not trusted."""

    def __init__(self, clients: ClientAddresses) -> None:
        self._clients = clients
        self._quiet_until = float("-inf")

    def __call__(self, scope: Scope) -> None:
        for name, _ in scope["headers"]:
            if name in (_FORWARDED_FOR, _FORWARDED):
                self._look(scope)
                break

    def trusts(self, scope: Scope) -> bool:
        """Whether a trusted proxy sent the request."""
        return self._clients.trusts(_peer(scope))

    def _look(self, scope: Scope) -> None:
        if time.monotonic() < self._quiet_until:
            return
        peer, trusted = _peer(scope), self.trusts(scope)
        if trusted and any(name == _FORWARDED_FOR for name, _ in scope["headers"]):
            return
        self._quiet_until = time.monotonic() + AGAIN_AFTER_SECONDS
        log.error("client_address_unknown", peer=peer, reason=_UNREAD if trusted else _UNTRUSTED)


def _peer(scope: Scope) -> str | None:
    return scope["client"][0] if scope.get("client") else None
