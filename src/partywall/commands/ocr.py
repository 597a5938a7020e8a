from __future__ import annotations

import subprocess
from shutil import which

from partywall.commands.usage_error import UsageError
from partywall.settings import Settings


def require_ocr(settings: Settings) -> None:
    """Checks that Tesseract and its languages are installed, if they are wanted. Raises UsageError."""
    if not settings.files.ocr:
        return
    program = which("tesseract")
    if program is None:
        raise UsageError("FILES__OCR: tesseract is not installed: install it (Debian: tesseract-ocr) or unset this")
    listed = subprocess.run((program, "--list-langs"), capture_output=True, text=True, check=False).stdout.split()
    for language in settings.files.ocr_languages.split("+"):
        if language not in listed:
            raise UsageError(
                f"FILES__OCR_LANGUAGES: tesseract has no language {language} (Debian: tesseract-ocr-{language})"
            )
