"""Reads text in images with Tesseract, a program that inherits the limits of the text process."""

from __future__ import annotations

import ctypes
import resource
import signal
import subprocess
from typing import Final, NamedTuple

from partywall.features.documents.readers.file_text import FileText, Reason, UnreadableFileError
from partywall.features.documents.readers.layout import clean

TESSERACT: Final = "tesseract"
_ENVIRONMENT: Final = {"OMP_THREAD_LIMIT": "1", "LC_ALL": "C.UTF-8"}
_DIE_WITH_PARENT: Final = 1  # PR_SET_PDEATHSIG
_EXCEEDED: Final = frozenset({-signal.SIGXCPU, -signal.SIGKILL, -signal.SIGABRT, -signal.SIGSEGV})


class Ocr(NamedTuple):
    """`program` is Tesseract's path. Of one file, `pages` are read at most, and for `seconds` of CPU time."""

    program: str
    languages: str
    pages: int
    seconds: int

    @property
    def has_time(self) -> bool:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime < self.seconds


def image_text(image: bytes, ocr: Ocr) -> str:
    """The text of an image file. Raises UnreadableFileError."""
    command = (ocr.program, "stdin", "stdout", "-l", ocr.languages)
    done = subprocess.run(
        command, input=image, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=_ENVIRONMENT, check=False,
        preexec_fn=_end_with_parent,
    )  # fmt: skip
    if done.returncode in _EXCEEDED:
        raise UnreadableFileError(Reason.TOO_COSTLY)
    if done.returncode:
        raise UnreadableFileError(Reason.DAMAGED)
    return clean(done.stdout.decode(errors="replace"))


def read_image(data: bytes, ocr: Ocr) -> FileText:
    return FileText(image_text(data, ocr), ocr="1 of 1 pages")


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_DIE_WITH_PARENT, signal.SIGKILL)
