from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final
from urllib.parse import urlsplit

from obstore.store import S3Store
from pydantic import SecretStr

from partywall.adapters.blobs.s3_requests import Signer

if TYPE_CHECKING:  # obstore has these for type checkers only
    from obstore.store import ClientConfig, S3Config

_RETRIES: Final = 2
_CONNECT_SECONDS: Final = 5.0


@dataclass(frozen=True, slots=True)
class S3Options:
    """A bucket. Without an endpoint it is at AWS, without keys the credentials are those of the machine."""

    bucket: str
    region: str
    prefix: str
    endpoint: str | None
    path_style: bool
    access_key_id: str | None
    secret_access_key: SecretStr | None
    ca_file: Path | None
    timeout: float
    links: bool
    public_endpoint: str | None

    @property
    def server(self) -> str:
        return (self.endpoint or f"https://s3.{self.region}.amazonaws.com").rstrip("/")

    @property
    def bucket_url(self) -> str:
        return self._in_bucket(self.server)

    def signer(self) -> Signer | None:
        """None if this program does not know the keys."""
        return self._signer(self.bucket_url)

    def link_signer(self) -> Signer | None:
        """None if no links are given out."""
        return self._signer(self._in_bucket((self.public_endpoint or self.server).rstrip("/"))) if self.links else None

    def _signer(self, bucket_url: str) -> Signer | None:
        if self.access_key_id is None or self.secret_access_key is None:
            return None
        return Signer(bucket_url, self.region, self.access_key_id, self.secret_access_key)

    def _in_bucket(self, server: str) -> str:
        if self.path_style:
            return f"{server}/{self.bucket}"
        parts = urlsplit(server)
        return f"{parts.scheme}://{self.bucket}.{parts.netloc}{parts.path}"


def open_bucket(options: S3Options) -> S3Store:
    wait = timedelta(seconds=options.timeout)
    config: S3Config = {
        "bucket": options.bucket,
        "region": options.region,
        "endpoint": options.server if options.path_style else options.bucket_url,
        "virtual_hosted_style_request": not options.path_style,
    }
    if options.access_key_id is not None and options.secret_access_key is not None:
        config["access_key_id"] = options.access_key_id
        config["secret_access_key"] = options.secret_access_key.get_secret_value()
    client: ClientConfig = {
        "allow_http": options.server.startswith("http://"),
        "timeout": wait,
        "connect_timeout": timedelta(seconds=min(_CONNECT_SECONDS, options.timeout)),
    }
    if options.ca_file is not None:
        client["root_certificate"] = options.ca_file.read_bytes()
    return S3Store(config=config, client_options=client, retry_config={"max_retries": _RETRIES, "retry_timeout": wait})
