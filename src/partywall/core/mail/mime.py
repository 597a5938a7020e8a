"""A message as it goes over the wire (RFC 5322), built by the standard library's own policy."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import default
from email.utils import format_datetime
from typing import Final

import idna

from partywall.core.clock import utc_now
from partywall.core.mail.message import MailRefused, Message

# Lines of text may have 998 bytes (RFC 5322, 2.1.1); longer ones, and those beyond ASCII, are quoted.
_LONGEST_LINE: Final = 900
_LONGEST_MAILBOX: Final = 500  # what the standard library needs to read one grows with the square of its length
# Begins what a header shows as something else (RFC 2047): an address with it would be read as another's.
ENCODED_WORD: Final = re.compile(r"=\?")


@dataclass(frozen=True, slots=True)
class Envelope:
    """A mail with the addresses that the server is told: their domains are in ASCII."""

    sender: str
    recipient: str
    mail: EmailMessage


def mailbox(text: str) -> Address:
    """`Partywall <noreply@example.com>` or a bare address; raises ValueError for what is not exactly one."""
    if not text.isprintable() or len(text) > _LONGEST_MAILBOX:
        raise ValueError(f"a mail address is one line of at most {_LONGEST_MAILBOX} characters")
    header = default.header_factory("From", text)
    [*found] = header.addresses
    if header.defects or len(found) != 1 or not found[0].domain:
        raise ValueError("not one mail address")
    return Address(found[0].display_name, found[0].username, _ascii_domain(found[0].domain))


def envelope(message: Message, sender: Address) -> Envelope:
    """Raises MailRefused for an address or a subject that no header may hold."""
    try:
        recipient = _recipient(message.to)
        mail = EmailMessage(default)
        mail["From"] = sender
        mail["To"] = recipient
        mail["Subject"] = ENCODED_WORD.sub("= ?", _printable(message.subject))
    except ValueError:
        # lint: allow dropped-cause - it quotes the address
        raise MailRefused("the address or the subject cannot stand in a header") from None
    mail["Date"] = format_datetime(utc_now())
    mail["Message-ID"] = f"<{hashlib.sha256(message.key.encode()).hexdigest()[:40]}@{sender.domain}>"
    mail["Auto-Submitted"] = "auto-generated"
    mail.set_content(message.text, cte=_encoding(message.text))
    mail.add_alternative(message.html, subtype="html", cte=_encoding(message.html))
    return Envelope(sender.addr_spec, recipient.addr_spec, mail)


def _recipient(address: str) -> Address:
    local, at, domain = _printable(address).rpartition("@")
    if not at or not local or " " in address or ENCODED_WORD.search(address):
        raise ValueError("not a mail address")
    return Address(username=local, domain=_ascii_domain(domain))


def _printable(text: str) -> str:
    if not text.isprintable():
        raise ValueError("a header holds no line break")
    return text


def _ascii_domain(domain: str) -> str:
    """Every server knows the ASCII form of an international domain. Raises ValueError (UnicodeError) for none."""
    return domain if domain.isascii() else idna.encode(domain, uts46=True).decode()


def _encoding(text: str) -> str:
    plain = text.isascii() and all(len(line) <= _LONGEST_LINE for line in text.splitlines())
    return "7bit" if plain else "quoted-printable"
