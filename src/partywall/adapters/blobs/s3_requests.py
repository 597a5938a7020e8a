"""Signed requests to S3 (Signature Version 4, in the query) for what obstore does not offer."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final
from urllib.parse import quote, urlsplit

from pydantic import SecretStr

_ALGORITHM: Final = "AWS4-HMAC-SHA256"


@dataclass(frozen=True, slots=True)
class Signer:
    """`bucket_url` is the address of the bucket, without a slash at the end."""

    bucket_url: str
    region: str
    access_key_id: str
    secret_access_key: SecretStr

    def url(self, method: str, key: str, query: Mapping[str, str], *, now: datetime, seconds: int) -> str:
        """The address of a request that anybody can send within `seconds`. An empty `key` means the bucket."""
        parts = urlsplit(self.bucket_url)
        path = quote(f"{parts.path}/{key}" if key else parts.path or "/", safe="/-_.~")
        day, time = f"{now:%Y%m%d}", f"{now:%Y%m%dT%H%M%SZ}"
        area = f"{day}/{self.region}/s3/aws4_request"
        signed = _query(
            {
                **query,
                "X-Amz-Algorithm": _ALGORITHM,
                "X-Amz-Credential": f"{self.access_key_id}/{area}",
                "X-Amz-Date": time,
                "X-Amz-Expires": str(seconds),
                "X-Amz-SignedHeaders": "host",
            }
        )
        request = f"{method}\n{path}\n{signed}\nhost:{parts.netloc}\n\nhost\nUNSIGNED-PAYLOAD"
        text = f"{_ALGORITHM}\n{time}\n{area}\n{hashlib.sha256(request.encode()).hexdigest()}"
        signature = _hmac(self._key(day), text).hex()
        return f"{parts.scheme}://{parts.netloc}{path}?{signed}&X-Amz-Signature={signature}"

    def _key(self, day: str) -> bytes:
        key = f"AWS4{self.secret_access_key.get_secret_value()}".encode()
        for part in (day, self.region, "s3", "aws4_request"):
            key = _hmac(key, part)
        return key


def _query(values: Mapping[str, str]) -> str:
    return "&".join(f"{quote(name, safe='-_.~')}={quote(value, safe='-_.~')}" for name, value in sorted(values.items()))


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.digest(key, text.encode(), "sha256")
