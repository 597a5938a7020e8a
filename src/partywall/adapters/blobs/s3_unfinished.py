"""Multipart uploads that were neither completed nor aborted, because a process was killed or the store was away."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime
from html import unescape
from typing import Final

import httpx2

from partywall.adapters.blobs.s3_requests import Signer
from partywall.core.clock import utc_now

_SECONDS: Final = 60
_FIELD: Final = re.compile(r"<(Key|UploadId|Initiated|NextKeyMarker|NextUploadIdMarker|IsTruncated)>([^<]*+)</")


@dataclass(frozen=True, slots=True)
class Unfinished:
    key: str
    upload_id: str
    begun_at: datetime


async def unfinished_uploads(client: httpx2.AsyncClient, signer: Signer, prefix: str) -> AsyncIterator[Unfinished]:
    marker: dict[str, str] = {}
    while True:
        query = {"uploads": "", "prefix": prefix, **marker}
        answer = await client.get(signer.url("GET", "", query, now=utc_now(), seconds=_SECONDS))
        answer.raise_for_status()
        about, *uploads = _parts(answer.text)
        for fields in uploads:
            yield Unfinished(fields["Key"], fields["UploadId"], datetime.fromisoformat(fields["Initiated"]))
        if about.get("IsTruncated") != "true" or not about.get("NextKeyMarker"):
            return
        marker = {"key-marker": about["NextKeyMarker"], "upload-id-marker": about.get("NextUploadIdMarker", "")}


async def abort(client: httpx2.AsyncClient, signer: Signer, upload: Unfinished) -> None:
    query = {"uploadId": upload.upload_id}
    answer = await client.delete(signer.url("DELETE", upload.key, query, now=utc_now(), seconds=_SECONDS))
    if answer.status_code != httpx2.codes.NOT_FOUND:  # it has ended meanwhile
        answer.raise_for_status()


def _parts(xml: str) -> list[dict[str, str]]:
    """The fields of the list itself, then those of each upload."""
    head, *parts = xml.split("<Upload>")
    uploads, about = [], head
    for part in parts:
        fields, _, after = part.partition("</Upload>")
        uploads.append(_fields(fields))
        about += after
    return [_fields(about), *uploads]


def _fields(xml: str) -> dict[str, str]:
    return {name: unescape(value) for name, value in _FIELD.findall(xml)}
