from __future__ import annotations

from partywall.core.secret_key_file import kept_secret_key
from partywall.settings import Settings


def secret_key(settings: Settings) -> str:
    """The configured secret; in development, one created on first start and kept in the data directory."""
    if settings.secret_key is not None:
        return settings.secret_key.get_secret_value()
    return kept_secret_key(settings.data_dir)
