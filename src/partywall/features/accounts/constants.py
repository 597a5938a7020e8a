from __future__ import annotations

from datetime import timedelta
from typing import Final

# Length makes a password strong (NIST SP 800-63B): no composition rules, and room for long passphrases.
MIN_PASSWORD: Final = 10
MAX_PASSWORD: Final = 1024
MAX_USER_AGENT: Final = 200
# Purpose of the key that hashes addresses, so that the failure table contains no plain address.
COUNTED_ADDRESSES: Final = "counted addresses"
JWKS_MAX_AGE: Final = 300
VERIFICATION_TTL: Final = timedelta(hours=24)
MAX_MAILED_TOKEN: Final = 200
RESET_TTL: Final = timedelta(hours=1)
UNLOCK_TTL: Final = timedelta(hours=24)
# Unused at once. Those who request more resets leave the owner at least so many working mails.
MOST_RESETS: Final = 5
MOST_UNLOCKS: Final = 1
# Per address, from all clients together. Also the limit of registrations kept for it from one network; twice as many
# are kept from all networks.
MAILS_PER_HOUR: Final = 5
# Resends per registration for its own network, in addition to those that anyone can use up.
OWN_MAILS: Final = 3
# Active sessions per account; a further login ends the least recently used one.
MAX_SESSIONS: Final = 100
# Minimum time that a revoked session is kept.
REVOKED_KEPT: Final = timedelta(days=1)
