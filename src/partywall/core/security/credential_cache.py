from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable
from typing import Final

from partywall.core.clock import unix_time
from partywall.core.security.authentication import VerifiedCredential

# How long a verified credential is valid without another check; a revocation elsewhere may be noticed this late.
RECHECK_SECONDS: Final = 5.0


class CredentialCache[K, C: VerifiedCredential]:
    """Keeps verified credentials for some seconds; evicts the oldest first."""

    def __init__(self, size: int = 20_000) -> None:
        self._size = size
        self._known: OrderedDict[K, tuple[float, C]] = OrderedDict()
        self._ended = 0

    @property
    def moment(self) -> int:
        """Read it before verifying a credential, and pass it to `put`."""
        return self._ended

    def get(self, key: K) -> C | None:
        entry = self._known.get(key)
        if entry is None:
            return None
        if entry[0] <= unix_time():
            del self._known[key]
            return None
        return entry[1]

    def put(self, key: K, verified: C, moment: int) -> None:
        """Stores the credential, unless any was revoked since `moment`, because it may be this one."""
        if moment != self._ended:
            return
        until = min(verified.expires_at, unix_time() + RECHECK_SECONDS)
        self._known[key] = (until, verified)
        self._known.move_to_end(key)
        if len(self._known) > self._size:
            self._known.popitem(last=False)

    def forget(self, ended: Callable[[C], bool]) -> None:
        """Drops revoked credentials."""
        self._ended += 1
        for key in [key for key, (_, verified) in self._known.items() if ended(verified)]:
            del self._known[key]
