from __future__ import annotations

from typing import Final

MAX_IDENTITIES: Final = 20
# The provider of identities that come with tokens of Supabase.
SUPABASE: Final = "supabase"
MAX_STATE: Final = 200
MAX_CODE: Final = 200
# RFC 7636.
CHALLENGE: Final = r"^[A-Za-z0-9_-]{43}$"
VERIFIER: Final = r"^[A-Za-z0-9._~-]{43,128}$"
# Purposes of the keys that encrypt what the cache holds.
LOGINS: Final = "external logins"
PROOFS: Final = "proofs of identity"
