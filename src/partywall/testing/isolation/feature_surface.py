"""What installed features add to the deployment: operations and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fastapi.routing import iter_route_contexts
from sqlalchemy import Table

from partywall.core.feature import Feature
from partywall.extensions.enabled import enabled_features, is_installed
from partywall.extensions.table_checks import tables_of
from partywall.testing.isolation.suite import AttackedApp
from partywall.testing.isolation.surface import Operation, Schema, read_surface
from partywall.testing.isolation.tool_app import operation_of


@dataclass(frozen=True, slots=True)
class FeatureSurface:
    """Tools are operations, too. The OpenAPI document leaves out the `hidden` routes: nothing can attack them.

    `reading` are the ids of operations that change nothing.
    """

    document: Schema
    operations: tuple[Operation, ...]
    hidden: tuple[str, ...]
    reading: frozenset[str]
    tables: tuple[Table, ...]

    @classmethod
    def read(cls, app: AttackedApp, names: Sequence[str]) -> FeatureSurface:
        features = [each for each in enabled_features(tuple(names)) if is_installed(each)]
        document = app.openapi()
        tools = {
            operation_of(tool.name): tool for feature in features if feature.tools for tool in feature.tools.load()
        }
        routes = dict(_routes(features))
        operations = tuple(each for each in read_surface(document) if each.id in routes or each.id in tools)
        hidden = routes.keys() - {each.id for each in operations}
        reading = {each.id for each in operations if each.reads} | {name for name, tool in tools.items() if tool.reads}
        tables = [table for feature in features for table in tables_of(feature)]
        return cls(
            document, operations, tuple(routes[name] for name in sorted(hidden)), frozenset(reading), tuple(tables)
        )

    def has(self, operation: Operation) -> bool:
        return operation.id in {each.id for each in self.operations}


def _routes(features: Sequence[Feature]) -> Iterator[tuple[str, str]]:
    """The name of each endpoint, and its path."""
    for feature in features:
        for router in (*feature.routers, *feature.root_routers):
            yield from ((str(route.name), str(route.path)) for route in iter_route_contexts(router.load().routes))
