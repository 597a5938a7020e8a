from __future__ import annotations

from partywall.core.errors import NotFoundError


class ApiKeyNotFoundError(NotFoundError):
    code = "api_key_not_found"
    title = "No such key"
