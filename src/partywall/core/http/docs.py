"""The interactive documentation, served entirely from here: browsers load no scripts from elsewhere."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.staticfiles import StaticFiles

from partywall.core.http.openapi import document_below
from partywall.core.http.sub_path import sub_path_of

PATH: Final = "/docs"
_DOCUMENT: Final = "/openapi.json"
_ASSETS: Final = "/docs/assets"
PATHS: Final = (PATH, _DOCUMENT)
# Swagger UI uses inline scripts and styles; both stay on this origin.
_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)


def serve_docs(app: FastAPI) -> None:
    app.mount(_ASSETS, StaticFiles(packages=[("fastapi_swagger", "resources")]), name="docs_assets")
    app.add_route(PATH, _docs, include_in_schema=False)
    app.add_route(_DOCUMENT, _document, include_in_schema=False)


async def _docs(request: Request) -> Response:
    before = sub_path_of(request.scope)
    page = get_swagger_ui_html(
        openapi_url=before + _DOCUMENT,
        title=f"{request.app.title} - API",
        swagger_js_url=f"{before}{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{before}{_ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{before}{_ASSETS}/favicon-32x32.png",
    )
    page.headers["Content-Security-Policy"] = _POLICY
    return page


async def _document(request: Request) -> Response:
    return JSONResponse(document_below(request.app.openapi(), sub_path_of(request.scope)))
