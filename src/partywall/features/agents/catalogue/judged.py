"""Outputs of which the model writes one part and the agent's check the other."""

from __future__ import annotations

from typing import ClassVar, cast

from pydantic import ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema

from partywall.core.schemas import ResponseModel


class Judged(ResponseModel):
    """The fields in `ours` are never taken from the model: they are not in the schema that it is given, and what it
    says there is dropped. The check fills them in with `model_copy(update=...)`.
    """

    model_config = ConfigDict(json_schema_serialization_defaults_required=True)
    ours: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _drop_ours(cls, value: object) -> object:
        if not isinstance(value, dict):
            return value
        return {name: each for name, each in value.items() if name not in cls.ours}

    @classmethod
    def __get_pydantic_json_schema__(cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler) -> JsonSchemaValue:
        schema = handler(core_schema)
        properties = cast("dict[str, JsonSchemaValue]", handler.resolve_ref_schema(schema).get("properties", {}))
        for name in cls.ours & properties.keys():
            if handler.mode == "validation":
                del properties[name]
            else:
                properties[name].pop("default", None)
        return schema
