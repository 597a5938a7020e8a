"""Mail (EML): subject, people, date, text, and the names of attached files."""

from __future__ import annotations

from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage, Message
from typing import Final

from partywall.features.documents.html_text import markdown_of
from partywall.features.documents.readers.charsets import decode
from partywall.features.documents.readers.file_text import FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.layout import Writer, one_line

_PEOPLE: Final = ("From", "To", "Cc", "Date")
_MAX_PARTS: Final = 1_000
_MAX_DEPTH: Final = 20


def read_mail(data: bytes) -> FileText:
    if b"\0" in data[:64] or data.startswith(b"\xef\xbb\xbf"):
        data = decode(data)[0].encode()  # the whole mail was stored in UTF-16
    message = message_from_bytes(data, policy=policy.default)
    if not message.keys():
        raise UnreadableFileError(Reason.DAMAGED)
    writer = Writer()
    _write(message, writer, 1)
    return FileText(writer.text(), _header(message, "Subject"), _header(message, "Content-Language").partition(",")[0])


def _write(message: Message, writer: Writer, level: int) -> None:
    writer.title(level, _header(message, "Subject"))
    writer.block("\n".join(f"{name}: {said}" for name in _PEOPLE if (said := _header(message, name))))
    attached: list[str] = []
    for number, part in enumerate(_parts(message, 0)):
        if number >= _MAX_PARTS:
            break
        if part.get_content_maintype() == "message":
            for inner in _inner(part):
                _write(inner, writer, min(level + 1, 6))
        elif name := _file_name(part):
            attached.append(name)
        elif part.get_content_maintype() == "text":
            writer.block(_text(part))
    writer.items("Attachments", attached)


def _parts(message: Message, depth: int) -> Iterator[Message]:
    """The parts to show: of alternatives the plain text, or else the last one with text."""
    if not message.is_multipart() or message.get_content_maintype() == "message":
        yield message
    elif depth < _MAX_DEPTH:
        parts = [part for part in message.get_payload() if isinstance(part, Message)]
        if message.get_content_subtype() == "alternative":
            plain = [part for part in parts if part.get_content_type() == "text/plain" and _text(part).strip()]
            parts = plain[:1] or parts[-1:]
        for part in parts:
            yield from _parts(part, depth + 1)


def _inner(part: Message) -> list[Message]:
    payload = part.get_payload()
    return [each for each in payload if isinstance(each, Message)] if isinstance(payload, list) else []


def _text(part: Message) -> str:
    payload = part.get_payload(decode=True)
    if not isinstance(payload, bytes):
        return ""
    text = decode(payload, str(part.get_content_charset() or ""))[0].replace("\r\n", "\n")
    return markdown_of(text).text if part.get_content_subtype() == "html" else text.strip()


def _file_name(part: Message) -> str:
    """The name of an attached file; of an inline text it is empty."""
    disposition = part.get_content_disposition() if isinstance(part, EmailMessage) else None
    if disposition != "attachment" and part.get_content_maintype() == "text":
        return ""
    return one_line(str(part.get_filename() or "")) or ("unnamed" if disposition == "attachment" else "")


def _header(message: Message, name: str) -> str:
    try:
        return one_line(str(message.get(name, "")))
    except (ValueError, LookupError, IndexError, AttributeError, TypeError):
        return ""  # the standard library fails at some malformed headers
