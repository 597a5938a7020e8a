from __future__ import annotations

from partywall.core.errors import ConflictError, NotFoundError


class ApiKeyNotFoundError(NotFoundError):
    code = "api_key_not_found"
    title = "No such key"


class TooManyApiKeysError(ConflictError):
    code = "too_many_api_keys"
    title = "The project has as many keys as it may have"
