"""Opaque tokens: `<prefix><256 bits>`. Only their hash is stored."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from typing import ClassVar
from uuid import UUID

from partywall.core.security.secrets import Signer


def token_text(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def token_hash(token: str) -> bytes:
    """The hash to store; 256 random bits need no slow hash."""
    return hashlib.sha256(token.encode("utf-8", "replace")).digest()


@dataclass(frozen=True, slots=True)
class MailedTokens:
    """Tokens derived from the id of their subject, so that the job that mails one needs only the id.

    Each kind has its own prefix, and a signer with its own purpose.
    """

    prefix: ClassVar[str]
    signer: Signer

    def of(self, id_: UUID) -> str:
        return self.prefix + token_text(self.signer.sign(id_.bytes))
