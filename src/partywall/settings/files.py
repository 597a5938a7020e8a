from __future__ import annotations

from datetime import timedelta

from pydantic import Field

from partywall.settings.base import HOUR, MINUTE, SECOND, Section


class FileSettings(Section):
    """How uploaded files are read. `ocr_time` is CPU time for one file."""

    max_in_archive: int = Field(default=1_000, ge=1, le=20_000, description="An archive with more files is refused.")
    ocr: bool = Field(default=False, description="Read text in images and scanned pages with Tesseract.")
    ocr_languages: str = Field(
        default="eng",
        pattern=r"^[A-Za-z_]{2,20}(\+[A-Za-z_]{2,20}){0,9}$",
        description="As Tesseract names them: eng+deu.",
    )
    ocr_pages: int = Field(default=100, ge=1, le=10_000, description="Scanned pages read of one file.")
    ocr_time: timedelta = Field(default=2 * MINUTE, ge=SECOND, le=HOUR)
