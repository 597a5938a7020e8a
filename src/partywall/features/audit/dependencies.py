from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from partywall.core.http.dependencies import PersonDep, ResourcesDep
from partywall.features.audit.service import AuditExport


async def get_audit_export(resources: ResourcesDep, principal: PersonDep) -> AuditExport:
    return AuditExport(resources.sessions, principal)


AuditExportDep = Annotated[AuditExport, Depends(get_audit_export)]
