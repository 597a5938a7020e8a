from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter


@dataclass(frozen=True, slots=True)
class Routes:
    """A slice's routes and WebSockets under `/api/v1`, and routes under the root."""

    routers: tuple[APIRouter, ...] = ()
    root_routers: tuple[APIRouter, ...] = ()
    socket_routers: tuple[APIRouter, ...] = ()
