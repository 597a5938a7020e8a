from __future__ import annotations

from typing import Annotated

from fastapi import Depends

from partywall.core.http.dependencies import ResourcesDep
from partywall.core.pagination import Cursors


async def get_cursors(resources: ResourcesDep) -> Cursors:
    return Cursors(resources.secrets.signer("cursors"))


CursorsDep = Annotated[Cursors, Depends(get_cursors)]
