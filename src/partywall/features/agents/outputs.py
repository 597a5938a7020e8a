"""The types of the outputs of the agents shipped, as the contract shows them."""

from __future__ import annotations

from typing import Annotated

from pydantic import GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from partywall.core.schemas import JsonObject


class _OutputTypes:
    """Says in the schema what the object is one of; agents of the operator's own have outputs beside these."""

    def __get_pydantic_json_schema__(self, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        # lint: allow import-in-function - the catalogue's schemas are made of those that this type stands in
        from partywall.features.agents.builtin import AGENTS  # noqa: PLC0415 - see above

        shipped = [handler(agent.output.__pydantic_core_schema__) for agent in AGENTS]
        return {"anyOf": [*shipped, handler(core_schema)]}


RunOutput = Annotated[JsonObject, _OutputTypes()]
