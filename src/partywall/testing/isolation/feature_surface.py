"""What installed features add to the deployment: operations and tables."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from sqlalchemy import Table

from partywall.core.feature import Feature
from partywall.extensions.enabled import enabled_features, is_installed
from partywall.extensions.table_checks import tables_of
from partywall.testing.isolation.surface import Operation, Schema, read_surface


@dataclass(frozen=True, slots=True)
class FeatureSurface:
    """`hidden` are the routes that the OpenAPI document leaves out: nothing can attack them."""

    document: Schema
    operations: tuple[Operation, ...]
    hidden: tuple[str, ...]
    tables: tuple[Table, ...]

    @classmethod
    def read(cls, app: FastAPI, names: Sequence[str]) -> FeatureSurface:
        features = [each for each in enabled_features(tuple(names)) if is_installed(each)]
        document = app.openapi()
        routes = dict(_routes(features))
        operations = tuple(each for each in read_surface(document) if each.id in routes)
        hidden = routes.keys() - {each.id for each in operations}
        tables = [table for feature in features for table in tables_of(feature)]
        return cls(document, operations, tuple(routes[name] for name in sorted(hidden)), tuple(tables))

    def has(self, operation: Operation) -> bool:
        return operation.id in {each.id for each in self.operations}


def _routes(features: Sequence[Feature]) -> Iterator[tuple[str, str]]:
    """The name of each endpoint, and its path."""
    for feature in features:
        for router in (*feature.routers, *feature.root_routers):
            yield from ((str(route.name), str(route.path)) for route in iter_route_contexts(router.load().routes))
