from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_address
from typing import Annotated, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from partywall.settings.base import GIB, HOUR, KIB, MIB, SECOND, Section
from partywall.settings.values import OptionalSecret, OptionalText, PathName, Text, WebAddress

_BUCKET: Final = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_PREFIX: Final = re.compile(r"([A-Za-z0-9_-][A-Za-z0-9._-]{0,254}/){0,16}")
# A form's other fields, beside its file.
_FORM_BYTES: Final = 5 * MIB


def _bucket(value: str) -> str:
    if not _BUCKET.fullmatch(value):
        raise ValueError("must have 3 to 63 lower-case letters, digits, dots and hyphens")
    return value


def _prefix(value: str) -> str:
    whole = value if not value or value.endswith("/") else f"{value}/"
    if not _PREFIX.fullmatch(whole):
        raise ValueError("must be names of letters, digits and . _ - with a slash after each, such as partywall/")
    return whole


class BlobSettings(Section):
    """Where uploaded originals are: in a directory, or in a bucket of S3."""

    engine: Literal["directory", "s3"] = "directory"
    directory: PathName | None = Field(default=None, description="Unset: DATA_DIR/blobs.")
    max_upload_bytes: int = Field(default=25 * MIB, ge=KIB, le=16 * GIB)
    bucket: Annotated[str, AfterValidator(_bucket)] | None = None
    prefix: Annotated[str, AfterValidator(_prefix)] = ""
    region: Text = "us-east-1"
    endpoint: WebAddress | None = Field(default=None, description="Unset: AWS, in the region.")
    path_style: bool | None = Field(default=None, description="The bucket in the path; unset: with an endpoint.")
    access_key_id: OptionalText = Field(default=None, description="Unset: the credentials of the machine.")
    secret_access_key: OptionalSecret = None
    ca_file: PathName | None = None
    allow_http: bool = False
    timeout: timedelta = Field(default=15 * SECOND, ge=SECOND, le=HOUR)
    presigned_downloads: bool = False
    public_endpoint: WebAddress | None = Field(default=None, description="The endpoint in links; unset: endpoint.")

    @property
    def largest_form(self) -> int:
        """The body of an upload."""
        return self.max_upload_bytes + _FORM_BYTES

    @model_validator(mode="after")
    def _complete(self) -> Self:
        if self.engine == "s3" and self.bucket is None:
            raise ValueError("BLOBS__ENGINE=s3 needs a bucket: set BLOBS__BUCKET")
        if (self.access_key_id is None) != (self.secret_access_key is None):
            raise ValueError("set both or none of BLOBS__ACCESS_KEY_ID and BLOBS__SECRET_ACCESS_KEY")
        if self.presigned_downloads and (self.engine != "s3" or self.access_key_id is None):
            raise ValueError("BLOBS__PRESIGNED_DOWNLOADS needs BLOBS__ENGINE=s3 and BLOBS__ACCESS_KEY_ID")
        if self.endpoint is not None and self.endpoint.scheme == "http" and not self._may_be_plain:
            raise ValueError(
                "BLOBS__ENDPOINT is http://, so files could be read on their way: use https://, or allow it with"
                " BLOBS__ALLOW_HTTP=true"
            )
        return self

    @property
    def _may_be_plain(self) -> bool:
        host = "" if self.endpoint is None else (self.endpoint.host or "").strip("[]")
        try:
            return self.allow_http or ip_address(host).is_loopback
        except ValueError:
            return host == "localhost"
