from __future__ import annotations

from datetime import timedelta
from typing import Final

# Length is what makes a password strong (NIST SP 800-63B): no rules of composition, and room for any sentence.
MIN_PASSWORD: Final = 10
MAX_PASSWORD: Final = 1024
MAX_USER_AGENT: Final = 200
# The purpose of the key under which addresses are counted, so that the table of failures names nobody.
COUNTED_ADDRESSES: Final = "counted addresses"
JWKS_MAX_AGE: Final = 300
VERIFICATION_TTL: Final = timedelta(hours=24)
MAX_VERIFICATION_TOKEN: Final = 200
# To one address, whoever asks for them. No more registrations of it are kept either.
MAILS_PER_HOUR: Final = 5
# Of a registration, for who asks again from where it came from, besides those that anybody can use up.
OWN_MAILS: Final = 3
# Living sessions of one account; a further login ends the one that was not used for longest.
MAX_SESSIONS: Final = 100
# At least so long a revoked session is remembered.
REVOKED_KEPT: Final = timedelta(days=1)
