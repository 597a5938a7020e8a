"""Checks before the start that the bucket can be used."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import obstore

from partywall.adapters.blobs.s3_errors import FAILURES, code_of
from partywall.adapters.blobs.s3_options import S3Options, open_bucket

_KEYS: Final = "BLOBS__ACCESS_KEY_ID and BLOBS__SECRET_ACCESS_KEY: {server} refuses them ({code})"
_ADVICE: Final[Mapping[str, str]] = {
    "NoSuchBucket": "BLOBS__BUCKET: {server} has no bucket {bucket}: create it, or correct the name",
    "InvalidBucketName": "BLOBS__BUCKET: {server} accepts no bucket named {bucket}",
    "InvalidAccessKeyId": _KEYS,
    "SignatureDoesNotMatch": _KEYS,
    "InvalidToken": _KEYS,
    "ExpiredToken": _KEYS,
    "AccessDenied": "BLOBS__BUCKET: the credentials may not list, write and delete in {bucket} ({code})",
    "PermanentRedirect": "BLOBS__REGION: the bucket {bucket} is in another region than {region}",
    "AuthorizationHeaderMalformed": "BLOBS__REGION: the bucket {bucket} is in another region than {region}",
}
_ANOTHER: Final = "BLOBS__ENDPOINT: {server} cannot be used ({code})"
_UNTRUSTED: Final = "BLOBS__CA_FILE: the certificate of {server} is not trusted"
_NO_KEYS: Final = "BLOBS__ACCESS_KEY_ID is not set, and this machine has no credentials for {server}"
# Where the machine's own credentials would come from.
_MACHINE: Final = "169.254."


def refusal_of(options: S3Options) -> str | None:
    """What to correct, in one line; None if the bucket can be used, or the server cannot be reached now.

    Not asynchronous: see `S3BlobStore.close`.
    """
    bucket, name = open_bucket(options), f"{options.prefix}start-check"
    try:
        for _ in obstore.list(bucket, name, chunk_size=1):
            break
        obstore.put(bucket, name, b"")
        obstore.delete(bucket, [name])
    except FAILURES as error:
        return _advice(options, code_of(error), str(error))
    return None


def _advice(options: S3Options, code: str | None, message: str) -> str | None:
    if code is not None:
        advice = _ADVICE.get(code, _ANOTHER)
    elif "InvalidCertificate" in message:
        advice = _UNTRUSTED
    elif options.access_key_id is None and _MACHINE in message:
        advice = _NO_KEYS
    else:
        return None
    return advice.format(server=options.server, bucket=options.bucket, region=options.region, code=code)
