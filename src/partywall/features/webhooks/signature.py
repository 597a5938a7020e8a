"""Secrets, and the headers that sign a body (Standard Webhooks)."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import UUID

from standardwebhooks import Webhook

PREFIX: Final = "whsec_"
_BYTES: Final = 32


def new_secret() -> str:
    return PREFIX + base64.b64encode(secrets.token_bytes(_BYTES)).decode()


def signed_headers(keys: Sequence[str], message_id: UUID, at: datetime, body: str) -> dict[str, str]:
    """Headers with one signature per secret; receivers accept any of them."""
    signatures = [Webhook(key).sign(str(message_id), at, body) for key in keys]
    return {
        "webhook-id": str(message_id),
        "webhook-timestamp": str(int(at.timestamp())),
        "webhook-signature": " ".join(signatures),
    }
