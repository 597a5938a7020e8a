"""Valid texts, secrets, addresses and paths. Invalid values are rejected at start and never repeated in messages."""

from __future__ import annotations

import re
from ipaddress import ip_address
from pathlib import Path
from typing import Annotated, Final
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, HttpUrl, SecretStr

_LONGEST_TEXT: Final = 1000
_LONGEST_SECRET: Final = 16_384
_LONGEST_HOST: Final = 253
_LONGEST_PATH: Final = 4095
_LONGEST_PATH_PART: Final = 255
_LABEL: Final = re.compile(r"[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?")


def one_line(value: str, longest: int = _LONGEST_TEXT) -> str:
    if not value or value.isspace():
        raise ValueError("is empty: give it a value or leave it unset")
    if value != value.strip() or not value.isprintable():
        raise ValueError("has leading or trailing blanks, or unprintable characters")
    if len(value) > longest:
        raise ValueError(f"has more than {longest} characters")
    return value


def host_name(value: str) -> str:
    """A host name or IP address, without a scheme or port; raises ValueError."""
    if not _is_host(value):
        raise ValueError("must be a host name or address such as mail.example.com, without a scheme or port")
    return value


def require_web_host(value: str) -> None:
    """Checks the host of an address for browsers and clients; raises ValueError."""
    parts = urlsplit(value)
    if not _is_host(parts.hostname or "") or parts.port == 0:
        raise ValueError("must be an address with a host, and a port from 1 to 65535 if any")
    if "@" in parts.netloc:
        raise ValueError("must be an address without a user name or password")


def _is_host(value: str) -> bool:
    try:
        ip_address(value)
    except ValueError:
        return len(value) <= _LONGEST_HOST and all(map(_LABEL.fullmatch, _ascii(value).rstrip(".").split(".")))
    return True


def _ascii(host: str) -> str:
    try:
        return host.encode("idna").decode()
    except UnicodeError:
        return ""


def _secret(value: SecretStr) -> SecretStr:
    one_line(value.get_secret_value(), _LONGEST_SECRET)
    return value


def _key(value: SecretStr) -> SecretStr:
    text = _secret(value).get_secret_value()
    if not text.isascii() or " " in text:
        raise ValueError("must be ASCII without blanks, because the key is sent in a header")
    return value


def _none_if_empty(value: object) -> object:
    return None if value == "" else value


def _written_url(value: object) -> object:
    if isinstance(value, str) and (" " in one_line(value)):
        raise ValueError("must be an address without blanks")
    return value


def _url(value: HttpUrl) -> HttpUrl:
    require_web_host(str(value))
    if value.query is not None or value.fragment is not None:
        raise ValueError("must be an address without ? or #")
    return value


def _path(value: object) -> object:
    text = one_line(value, _LONGEST_PATH) if isinstance(value, str) else str(value)
    if "://" in text:
        raise ValueError("must be a path, not a URL")
    if not text.isprintable() or any(len(part.encode()) > _LONGEST_PATH_PART for part in text.split("/")):
        raise ValueError("must be a path that file systems accept")
    return value


type Text = Annotated[str, AfterValidator(one_line)]
type Host = Annotated[str, AfterValidator(one_line), AfterValidator(host_name)]
type Secret = Annotated[SecretStr, AfterValidator(_secret)]
type Key = Annotated[SecretStr, AfterValidator(_key)]
type WebAddress = Annotated[HttpUrl, BeforeValidator(_written_url), AfterValidator(_url)]
type PathName = Annotated[Path, BeforeValidator(_path)]
# Docker Compose passes unset variables as empty.
type OptionalText = Annotated[Text | None, BeforeValidator(_none_if_empty)]
type OptionalSecret = Annotated[Secret | None, BeforeValidator(_none_if_empty)]
