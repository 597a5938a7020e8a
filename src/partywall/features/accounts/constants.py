from __future__ import annotations

from typing import Final

# Length is what makes a password strong (NIST SP 800-63B): no rules of composition, and room for any sentence.
MIN_PASSWORD: Final = 10
MAX_PASSWORD: Final = 1024
MAX_USER_AGENT: Final = 200
# The purpose of the key under which addresses are counted, so that the table of failures names nobody.
COUNTED_ADDRESSES: Final = "counted addresses"
JWKS_MAX_AGE: Final = 300
