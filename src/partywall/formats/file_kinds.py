"""The kinds of files whose text can be read, by the ending of their names."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Final

_OPEN: Final = "application/vnd.oasis.opendocument"
_OPEN_XML: Final = "application/vnd.openxmlformats-officedocument"

MEDIA_TYPES: Final = {
    ".pdf": "application/pdf",
    ".docx": f"{_OPEN_XML}.wordprocessingml.document",
    ".docm": "application/vnd.ms-word.document.macroenabled.12",
    ".doc": "application/msword",
    ".pptx": f"{_OPEN_XML}.presentationml.presentation",
    ".pptm": "application/vnd.ms-powerpoint.presentation.macroenabled.12",
    ".ppsx": f"{_OPEN_XML}.presentationml.slideshow",
    ".ppt": "application/vnd.ms-powerpoint",
    ".xlsx": f"{_OPEN_XML}.spreadsheetml.sheet",
    ".xlsm": "application/vnd.ms-excel.sheet.macroenabled.12",
    ".xlsb": "application/vnd.ms-excel.sheet.binary.macroenabled.12",
    ".xls": "application/vnd.ms-excel",
    ".odt": f"{_OPEN}.text",
    ".ods": f"{_OPEN}.spreadsheet",
    ".odp": f"{_OPEN}.presentation",
    ".rtf": "application/rtf",
    ".epub": "application/epub+zip",
    ".eml": "message/rfc822",
    ".msg": "application/vnd.ms-outlook",
    ".csv": "text/csv",
    ".tsv": "text/tab-separated-values",
    ".rst": "text/x-rst",
    ".org": "text/x-org",
    ".json": "application/json",
    ".html": "text/html",
    ".htm": "text/html",
    ".xhtml": "text/html",
    ".md": "text/markdown",
    ".markdown": "text/markdown",
    ".mdx": "text/markdown",
    ".txt": "text/plain",
    ".text": "text/plain",
    ".zip": "application/zip",
    ".xml": "application/xml",
    ".rss": "application/rss+xml",
    ".atom": "application/atom+xml",
    ".ipynb": "application/x-ipynb+json",
    ".yaml": "application/yaml",
    ".yml": "application/yaml",
    ".toml": "application/toml",
    ".tex": "application/x-tex",
    ".log": "text/plain",
}
"""Media types by suffix."""

OLE: Final = "application/x-ole-storage"
CONTAINERS: Final = frozenset({MEDIA_TYPES[".zip"], OLE})
"""Of what is inside, only the name or the reader tells the media type."""

SOURCE_CODE: Final = frozenset(
    {".c", ".cc", ".cpp", ".cs", ".css", ".go", ".h", ".hpp", ".java", ".js", ".jsx", ".kt", ".lua", ".php", ".pl",
     ".py", ".r", ".rb", ".rs", ".scala", ".sh", ".sql", ".swift", ".ts", ".tsx"}
)  # fmt: skip

# Text in them is read only by servers that have OCR switched on.
IMAGES: Final = frozenset({".png", ".jpg", ".jpeg", ".tif", ".tiff", ".webp"})


def media_type_by_name(name: str) -> str | None:
    """The media type of a file that a reader may read, or None."""
    suffix = PurePosixPath(name).suffix.lower()
    return "text/plain" if suffix in SOURCE_CODE else MEDIA_TYPES.get(suffix)
