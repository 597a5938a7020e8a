from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import Final
from uuid import UUID

from partywall.core.security.secrets import Signer

PURPOSE: Final = "address verification"
_PREFIX: Final = "pwv_"


@dataclass(frozen=True, slots=True)
class VerificationTokens:
    """The token of a registration: 256 bits derived from its id, so that the job which mails it need not be told."""

    signer: Signer

    def of(self, registration_id: UUID) -> str:
        return _PREFIX + base64.urlsafe_b64encode(self.signer.sign(registration_id.bytes)).rstrip(b"=").decode()


def token_hash(token: str) -> bytes:
    """What is stored of a token; one of 256 bits needs no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()
