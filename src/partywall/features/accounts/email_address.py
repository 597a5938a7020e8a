from __future__ import annotations

from typing import Final

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from partywall.core.mail.mime import ENCODED_WORD

MAX_LENGTH: Final = 254

# A house may have a mail server of its own under these; the library documents its list as the place to say so.
SPECIAL_USE_DOMAIN_NAMES[:] = [name for name in SPECIAL_USE_DOMAIN_NAMES if name not in ("local", "test")]


def normalised(address: str) -> str:
    """The one form in which an address is stored and compared: lower case, its domain in Unicode.

    Raises ValueError, without the address, for what is none.
    """
    stripped = address.strip()
    if len(stripped) > MAX_LENGTH or ENCODED_WORD.search(stripped):
        raise ValueError("not a valid e-mail address")
    try:
        valid = validate_email(stripped, check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        raise ValueError("not a valid e-mail address") from error
    return valid.normalized.lower()
