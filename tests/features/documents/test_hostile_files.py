from __future__ import annotations

import pytest

from partywall.core.text_process.processes import TextLimits, TextProcesses, TextProcessFailedError, TextTooCostlyError
from partywall.features.documents.readers.archive import Entries
from partywall.features.documents.readers.file_text import UnreadableFileError
from partywall.features.documents.readers.process import Asked, read_answer, read_file, request
from partywall.formats.file_kinds import media_type_by_name
from tests.features.documents.hostile_files import HOSTILE

LIMITS = TextLimits(at_once=1, cpu_seconds=10, memory=256 * 1024 * 1024)


async def end(name: str, data: bytes, *, is_costly: bool) -> tuple[str, str]:
    """The code that reading ends with, and the text. Only a costly file needs the limits of a text process."""
    given = request(Asked(media_type_by_name(name) or "")) + data
    try:
        answer = await TextProcesses(LIMITS).run(read_file, given, len(given)) if is_costly else read_file(given)
        found = read_answer(answer)
        return (str(found.entries[0].reason), "") if isinstance(found, Entries) else ("", found.text)
    except UnreadableFileError as error:
        return str(error.reason), ""
    except TextProcessFailedError:
        return "crashed", ""
    except TextTooCostlyError:
        return "too_costly", ""


@pytest.mark.parametrize("kind", HOSTILE)
async def test_a_hostile_file_ends_within_its_limits_and_with_a_reason(kind: str) -> None:
    name, make, codes, text = HOSTILE[kind]
    code, read = await end(name, make(), is_costly="too_costly" in codes)
    assert code in (codes.split() or [""])
    assert read.startswith(text)
    assert len(read) < 100_000
