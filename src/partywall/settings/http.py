from __future__ import annotations

from datetime import timedelta
from ipaddress import ip_network
from typing import Self
from urllib.parse import urlsplit

from pydantic import Field, field_validator, model_validator

from partywall.settings.base import DAY, GIB, HOUR, KIB, MIB, SECOND, TIB, CommaSeparated, Section, split_lists
from partywall.settings.values import PathName, WebAddress, require_web_host

_LONGEST_SUB_PATH = 256
_PUNCTUATION = str.maketrans("", "", "-._~")


def is_sub_path(path: str) -> bool:
    """Whether all segments need no escaping: the path is used unchanged in headers, pages and URLs."""
    segments = path.split("/")
    plain = path.isascii() and path.replace("/", "").translate(_PUNCTUATION).isalnum()
    return len(path) <= _LONGEST_SUB_PATH and segments[0] == "" and plain and {"", ".", ".."}.isdisjoint(segments[1:])


def _is_origin(value: str) -> bool:
    """Whether browsers write it like this: the port only if it is not the scheme's default."""
    url = urlsplit(value)
    try:
        require_web_host(value)
        usual = url.port == {"http": 80, "https": 443}[url.scheme]
    except (ValueError, KeyError):
        return False
    return not usual and value.isascii() and value == f"{url.scheme}://{url.netloc}".lower()


class HttpSettings(Section):
    """What one API process serves, to whom, and how much a client may use."""

    public_url: WebAddress | None = None
    root_path: str | None = Field(default=None, description="Unset: the path of public_url.")
    docs: bool | None = Field(default=None, description="Serve /docs and /openapi.json; unset: not in production.")
    cors_origins: CommaSeparated = ()
    trusted_proxies: CommaSeparated = ()
    max_body_bytes: int = Field(default=32 * MIB, ge=KIB, le=16 * GIB)
    body_memory_bytes: int = Field(default=16 * MIB, ge=MIB, le=TIB, description="Large bodies being processed.")
    spool_bytes: int = Field(default=512 * MIB, ge=MIB, le=16 * TIB, description="Large bodies as they arrive.")
    spool_directory: PathName | None = Field(default=None, description="Unset: DATA_DIR/spool.")
    answer_bytes: int = Field(default=512 * MIB, ge=MIB, le=16 * TIB, description="Large answers while they are sent.")
    answer_memory_bytes: int = Field(
        default=32 * MIB, ge=MIB, le=TIB, description="Large answers and changes being made."
    )
    connections: int = Field(default=10_000, ge=16, le=1_000_000, description="In one process, within its file limit.")
    connections_per_address: int | None = Field(default=None, ge=1, le=1_000_000, description="Unset: half of all.")
    unserved_per_address: int = Field(default=256, ge=1, le=1_000_000, description="Connections without a request.")
    header_timeout: timedelta = Field(default=10 * SECOND, ge=SECOND, le=HOUR)
    body_timeout: timedelta = Field(default=30 * SECOND, ge=SECOND, le=DAY)
    min_rate: int = Field(default=16 * KIB, ge=1, le=GIB, description="Bytes per second, for bodies and answers.")
    keep_alive: timedelta = Field(default=75 * SECOND, ge=SECOND, le=DAY)

    @property
    def sub_path(self) -> str:
        """The path below which the API is served, without a trailing slash; empty for the root."""
        if self.root_path is not None:
            return self.root_path
        return "" if self.public_url is None else (self.public_url.path or "").rstrip("/")

    @field_validator("root_path")
    @classmethod
    def _sub_path(cls, value: str | None) -> str | None:
        path = None if value is None else value.rstrip("/")
        if path and not is_sub_path(path):
            raise ValueError("must be a path such as /partywall, of letters, digits and - . _ ~")
        return path

    @model_validator(mode="after")
    def _public_path(self) -> Self:
        if self.sub_path and not is_sub_path(self.sub_path):
            raise ValueError("the path of HTTP__PUBLIC_URL may contain only letters, digits and - . _ ~")
        return self

    @model_validator(mode="before")
    @classmethod
    def _split(cls, values: object) -> object:
        """An empty text leaves `trusted_proxies` unset; `none` means no proxies."""
        if isinstance(values, dict) and values.get("trusted_proxies") == "":
            values = {name: value for name, value in values.items() if name != "trusted_proxies"}
        return split_lists(values, {"cors_origins", "trusted_proxies"})

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        """Origins must be written as browsers send them, or they would never match."""
        if values == ("*",):
            return values
        if not all(map(_is_origin, values)):
            raise ValueError(
                "must be origins such as https://app.example: lower case, ASCII, without a path or the default port;"
                " or * alone, for every page"
            )
        return values

    @field_validator("trusted_proxies")
    @classmethod
    def _networks(cls, values: tuple[str, ...]) -> tuple[str, ...]:
        if values == ("none",):
            return ()
        for value in values:
            if ip_network(value, strict=False).prefixlen == 0:
                raise ValueError(f"{value} would trust every client: set the proxies' own addresses")
        return values
