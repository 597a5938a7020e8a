"""Refreshing as it is ordinarily asked for. Whatever is asked otherwise is the router's, and answered alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from fastapi import Request, Response

from partywall.core.http.form_lane import HotForm
from partywall.core.resources import Resources
from partywall.features.accounts.auth_router import answer
from partywall.features.accounts.dependencies import refresh_service
from partywall.features.accounts.limits import ClientLimits


async def _refresh(request: Request, resources: Resources, client: str, fields: Mapping[str, str]) -> Response:
    service = refresh_service(resources, ClientLimits(resources.attempts, client))
    return answer(request, await service.refresh(fields["refresh_token"]))


form: Final = HotForm("/api/v1/auth/token", {"grant_type": "refresh_token"}, ("refresh_token",), _refresh)
