from __future__ import annotations

from datetime import timedelta
from email.utils import getaddresses
from ipaddress import ip_address
from typing import Final, Literal

from pydantic import ConfigDict, Field, field_validator

from partywall.settings.base import HOUR, SECOND, Section
from partywall.settings.values import (
    Host,
    OptionalSecret,
    OptionalText,
    PathName,
    host_name,
    one_line,
    require_web_host,
)

_LONGEST_SENDER: Final = 500


def _only_address(value: str) -> str:
    """The address in `value`; empty unless there is exactly one."""
    found = getaddresses([value], strict=True) if value.isprintable() and len(value) <= _LONGEST_SENDER else []
    return found[0][1] if len(found) == 1 else ""


class MailLinks(Section):
    """Pages that mails link to, with `{token}` in place of the token."""

    invitation: str | None = None
    verification: str | None = None
    password_reset: str | None = None
    unlock: str | None = None

    @field_validator("invitation", "verification", "password_reset", "unlock")
    @classmethod
    def _page(cls, value: str | None) -> str | None:
        if value is None:
            return None
        if not (value.startswith(("https://", "http://")) and value.count("{token}") == 1) or " " in one_line(value):
            raise ValueError("must be an https:// address with {token} exactly once")
        require_web_host(value)  # also rejects a token in the host
        return value


class MailSettings(Section):
    model_config = ConfigDict(populate_by_name=True)

    engine: Literal["directory", "smtp"] | None = Field(default=None, description="Unset: directory in development.")
    sender: str = Field(default="Partywall <partywall@localhost>", alias="from")
    directory: PathName | None = Field(default=None, description="Unset: DATA_DIR/mail.")
    host: Host | None = None
    port: int | None = Field(default=None, ge=1, le=65535)
    security: Literal["starttls", "tls", "none"] = "starttls"
    username: OptionalText = None
    password: OptionalSecret = None
    ca_file: PathName | None = None
    timeout: timedelta = Field(default=30 * SECOND, ge=SECOND, le=HOUR)
    links: MailLinks = MailLinks()

    @field_validator("sender")
    @classmethod
    def _one_address(cls, value: str) -> str:
        address = _only_address(value)
        if not all(address.rpartition("@")) or address not in value:
            raise ValueError("must be one address: NAME <LOCAL@DOMAIN>")
        host_name(address.rpartition("@")[2])
        return value

    @property
    def is_loopback(self) -> bool:
        """Whether the server is on this machine, so that nobody else can read the connection."""
        try:
            return ip_address(self.host or "").is_loopback
        except ValueError:
            return self.host == "localhost"
