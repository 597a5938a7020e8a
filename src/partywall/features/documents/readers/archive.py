"""ZIP archives: the text of each file in them under its name."""

from __future__ import annotations

from collections.abc import Callable

from partywall.features.documents.readers.file_text import FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.layout import Writer
from partywall.features.documents.readers.package import Package
from partywall.formats.file_kinds import media_type_by_name


def read_archive(data: bytes, read: Callable[[bytes, str], FileText]) -> FileText:
    """Leaves out files that cannot be read, unless the whole becomes too large. Raises UnreadableFileError."""
    package = Package(data)
    writer = Writer()
    found = False
    for name in filter(_is_wanted, package.names):
        try:
            text = read(package.read(name), media_type_by_name(name) or "text/plain").text
        except UnreadableFileError as error:
            if error.reason is Reason.TOO_LARGE:
                raise
            continue
        found = True
        writer.title(1, name)
        writer.block(text)
    if not found:
        raise UnreadableFileError(Reason.NO_TEXT)
    return FileText(writer.text())


def _is_wanted(name: str) -> bool:
    """Not a folder, a hidden file, or what macOS adds."""
    return not name.endswith("/") and not any(part.startswith((".", "__MACOSX")) for part in name.split("/"))
