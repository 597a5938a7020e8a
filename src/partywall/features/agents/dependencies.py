from __future__ import annotations

import asyncio
from typing import Annotated

from fastapi import Depends

from partywall.core.http.dependencies import ResourcesDep
from partywall.features.agents.registry import Registry, registry_of


async def get_registry(resources: ResourcesDep) -> Registry:
    return await asyncio.to_thread(registry_of, resources.settings.agents.modules)


RegistryDep = Annotated[Registry, Depends(get_registry)]
