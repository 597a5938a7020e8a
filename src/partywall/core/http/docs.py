"""The interactive documentation, served whole from here: no browser of ours fetches scripts from elsewhere."""

from __future__ import annotations

from typing import Final

from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.requests import Request
from starlette.responses import Response
from starlette.staticfiles import StaticFiles

PATH: Final = "/docs"
_ASSETS: Final = "/docs/assets"
# Swagger UI starts itself from an inline script and styles its icons inline; both stay on this origin.
_POLICY: Final = (
    "default-src 'none'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data:; connect-src 'self'; frame-ancestors 'none'"
)


def serve_docs(app: FastAPI) -> None:
    app.mount(_ASSETS, StaticFiles(packages=[("fastapi_swagger", "resources")]), name="docs_assets")
    app.add_route(PATH, _docs, include_in_schema=False)


async def _docs(request: Request) -> Response:
    app: FastAPI = request.app
    page = get_swagger_ui_html(
        openapi_url=str(app.openapi_url),
        title=f"{app.title} - API",
        swagger_js_url=f"{_ASSETS}/swagger-ui-bundle.js",
        swagger_css_url=f"{_ASSETS}/swagger-ui.css",
        swagger_favicon_url=f"{_ASSETS}/favicon-32x32.png",
    )
    page.headers["Content-Security-Policy"] = _POLICY
    return page
