from __future__ import annotations

import base64
import binascii
import struct
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final, Self
from uuid import UUID

from partywall.core.security.secrets import Signer

PURPOSE: Final = "address verification"
_PREFIX: Final = "pwv_"
_LAYOUT: Final = struct.Struct(">16sI32s")
_LENGTH: Final = len(_PREFIX) + (_LAYOUT.size * 4 + 2) // 3


@dataclass(frozen=True, slots=True)
class Presented:
    """What a token claims, before its signature is checked against the account's address."""

    account_id: UUID
    expires_at: datetime
    signature: bytes

    @classmethod
    def read(cls, token: str) -> Self | None:
        """None for what has not the form of a token."""
        if len(token) != _LENGTH or not token.startswith(_PREFIX) or not token.isascii():
            return None
        encoded = token.removeprefix(_PREFIX)
        try:
            raw = base64.b64decode(encoded + "=" * (-len(encoded) % 4), altchars=b"-_", validate=True)
        except binascii.Error:
            return None
        account_id, seconds, signature = _LAYOUT.unpack(raw)
        return cls(UUID(bytes=account_id), datetime.fromtimestamp(seconds, UTC), signature)


@dataclass(frozen=True, slots=True)
class VerificationTokens:
    """Proof that one reads the mail of an address: signed over account, address and expiry, stored nowhere."""

    signer: Signer

    def issue(self, account_id: UUID, address: str, expires_at: datetime) -> str:
        """Always the same for the same arguments; the expiry counts in whole seconds."""
        seconds = int(expires_at.timestamp())
        raw = _LAYOUT.pack(account_id.bytes, seconds, self.signer.sign(_signed(account_id, address, seconds)))
        return _PREFIX + base64.urlsafe_b64encode(raw).rstrip(b"=").decode()

    def proves(self, presented: Presented, address: str, now: datetime) -> bool:
        seconds = int(presented.expires_at.timestamp())
        genuine = self.signer.verify(_signed(presented.account_id, address, seconds), presented.signature)
        return genuine and now < presented.expires_at


def _signed(account_id: UUID, address: str, seconds: int) -> bytes:
    return account_id.bytes + struct.pack(">I", seconds) + address.encode()
