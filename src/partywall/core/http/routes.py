from __future__ import annotations

from dataclasses import dataclass

from fastapi import APIRouter

from partywall.core.http.form_fast_path import FastPathForm


@dataclass(frozen=True, slots=True)
class Routes:
    """A slice's routes and WebSockets under `/api/v1`, and routes under the root.

    `forms` are served before the router; `routers` contains routes with the same paths.
    """

    routers: tuple[APIRouter, ...] = ()
    root_routers: tuple[APIRouter, ...] = ()
    socket_routers: tuple[APIRouter, ...] = ()
    forms: tuple[FastPathForm, ...] = ()
