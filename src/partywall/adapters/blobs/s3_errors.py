from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import httpx2
import structlog
from obstore.exceptions import BaseError

from partywall.core.errors import NotFoundError
from partywall.core.storage_errors import StorageAwayError

log = structlog.get_logger(__name__)

# Operating system errors stand for those of the connection, and for a missing object.
FAILURES: Final = (BaseError, OSError, httpx2.HTTPError)
_CODE: Final = re.compile(r"<Code>([A-Za-z0-9]{1,64})</Code>")
# The answer's body, with the code, is lost then.
_OTHER_REGION: Final = "redirect without LOCATION"
_LONGEST_REASON: Final = 300


def code_of(error: Exception) -> str | None:
    """The store's own code, such as `NoSuchBucket`; None if it did not answer."""
    message = str(error)
    if _OTHER_REGION in message:
        return "PermanentRedirect"
    found = _CODE.search(message)
    return None if found is None else found.group(1)


@contextmanager
def reported() -> Iterator[None]:
    """Turns the store's errors into ours. Only a missing object is a missing blob, not a missing bucket."""
    try:
        yield
    except FAILURES as error:
        code = code_of(error)
        if code == "NoSuchKey":
            raise NotFoundError("No such blob.") from error
        reason = str(error).partition("\n")[0][:_LONGEST_REASON] or type(error).__name__
        log.warning("storage_away", code=code, reason=reason)
        raise StorageAwayError from error
