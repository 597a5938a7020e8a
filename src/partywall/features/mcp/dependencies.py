from __future__ import annotations

from ipaddress import ip_address
from typing import Annotated
from urllib.parse import urlsplit
from uuid import UUID

from fastapi import Depends, Request

from partywall.core.http.dependencies import PrincipalDep, ResourcesDep, ScopedReaderDep, bearer_token
from partywall.core.http.request_facts import request_id_of, traceparent_of
from partywall.core.http.sockets import OriginNotAllowedError, may_come_from
from partywall.features.mcp.caller import Caller
from partywall.settings import HttpSettings


async def refuse_foreign_pages(request: Request, resources: ResourcesDep) -> None:
    """Raises OriginNotAllowedError. The protocol requires the check of Origin, because of DNS rebinding."""
    origin = request.headers.get("origin")
    if origin is None:
        return
    http = resources.settings.http
    if not any(may_come_from(origin, host, http.cors_origins) for host in _own_hosts(request, http)):
        raise OriginNotAllowedError


def _own_hosts(request: Request, http: HttpSettings) -> list[str]:
    """The host of HTTP__PUBLIC_URL, and the Host header if it is an IP address or localhost.

    Other names in the Host header are not trusted: DNS rebinding can point them here.
    """
    public = "" if http.public_url is None else urlsplit(str(http.public_url)).netloc
    claimed = request.headers.get("host", "")
    return [public, claimed] if _is_address(claimed) else [public]


def _is_address(host: str) -> bool:
    try:
        name = urlsplit(f"//{host}").hostname or ""
        return name == "localhost" or bool(ip_address(name))
    except ValueError:
        return False


async def get_caller(
    project_id: UUID, request: Request, resources: ResourcesDep, principal: PrincipalDep, reader: ScopedReaderDep
) -> Caller:
    """A caller with access to the project; raises ProjectNotFoundError before the message is read."""
    await reader.scope(project_id)
    token = bearer_token(request.headers.get("authorization")) or ""
    scope, installed = request.scope, request.app.state.tools
    return Caller(resources, principal, project_id, request_id_of(scope), traceparent_of(scope), token, installed)


CallerDep = Annotated[Caller, Depends(get_caller)]
PageGuard = Depends(refuse_foreign_pages)
