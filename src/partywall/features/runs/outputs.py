"""The output types of the built-in agents in the OpenAPI schema."""

from __future__ import annotations

from typing import Annotated

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from partywall.core.schemas import JsonObject


class _OutputTypes:
    """Lists the built-in agents' outputs in the schema; agents of the operator's own may return other objects."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        # lint: allow import-in-function - imports Pydantic AI, which only a reader of the OpenAPI document needs
        from partywall.features.agents.builtin import AGENTS  # noqa: PLC0415 - see above

        shipped = [handler(agent.output.__pydantic_core_schema__) for agent in AGENTS]
        return {"anyOf": [*shipped, handler(core_schema)]}


RunOutput = Annotated[JsonObject, _OutputTypes()]
