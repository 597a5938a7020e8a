from __future__ import annotations

from typing import Final

from email_validator import SPECIAL_USE_DOMAIN_NAMES, EmailNotValidError, validate_email

from partywall.core.mail.mime import ENCODED_WORD

MAX_LENGTH: Final = 254

# Private networks may use these domains for mail. The library documents this list as the way to allow them.
SPECIAL_USE_DOMAIN_NAMES[:] = [name for name in SPECIAL_USE_DOMAIN_NAMES if name not in ("local", "test")]


def normalised(address: str) -> str:
    """Return the form in which addresses are stored and compared: lower case, domain in Unicode.

    Raises ValueError, with a message that omits the address, if it is not valid.
    """
    stripped = address.strip()
    if len(stripped) > MAX_LENGTH or ENCODED_WORD.search(stripped):
        raise ValueError("not a valid e-mail address")
    try:
        valid = validate_email(stripped, check_deliverability=False, strict=True)
    except EmailNotValidError as error:
        raise ValueError("not a valid e-mail address") from error
    return valid.normalized.lower()
