from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Depends

from partywall.core.http.dependencies import ResourcesDep
from partywall.features.agents.registry import Registry, agents_of


async def get_registry(resources: ResourcesDep) -> Registry:
    return await asyncio.to_thread(agents_of, resources)


RegistryDep = Annotated[Registry, Depends(get_registry)]
