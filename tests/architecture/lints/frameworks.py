from __future__ import annotations

from collections.abc import Iterator

from partywall.checks.source import Codebase, Finding, Source
from tests.architecture.lints.entry_points import ENTRY_POINTS, PROCESSES

WEB = {"fastapi", "starlette"}
# The exchange is the part of the MCP router that is imported late.
MCP_EXCHANGE = "features/mcp/protocol.py"
HTTP_HOMES = (
    "core/http",
    "core/security/dependencies.py",
    MCP_EXCHANGE,
    "resources.py",
    "extensions/path_checks.py",
    "extensions/route_checks.py",
    *PROCESSES,
)
HTTP_STEMS = ("router", "dependencies")
SETTINGS_HOMES = (
    "core/http",
    "core/resources.py",
    "extensions/name_checks.py",
    "logs.py",
    "resources.py",
    "adapter_options.py",
    "outgoing_clients.py",
    "secret_key.py",
    *ENTRY_POINTS,
)


def web_framework(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    """fastapi and starlette stay in routers, dependencies and the HTTP core."""
    if source.inside(*HTTP_HOMES) or (source.slice and _is_http_module(source.stem)):
        return
    for imported in source.imports():
        if imported.module.split(".")[0] in WEB:
            message = f"{imported.module} is for routers, dependencies and core/http only"
            yield source.finding("web-framework", imported.line, message)


def adapter_import(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    """Only the resources choose adapters; only the supervisor runs the embedded engines as processes."""
    if source.inside("adapters", "resources.py", "adapter_options.py", "outgoing_clients.py"):
        return
    for imported in source.imports():
        runs_engines = source.inside("supervisor") and imported.target.startswith("partywall.adapters.embedded.")
        if imported.target.startswith("partywall.adapters.") and not runs_engines:
            yield source.finding("adapter-import", imported.line, f"{imported.module}: only resources.py may import it")


def settings_import(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    """Entry points build the settings; services and adapters receive the values they need."""
    if source.inside("settings", *SETTINGS_HOMES) or (source.slice and source.stem == "dependencies"):
        return
    for imported in source.imports():
        if imported.module == "partywall.settings":
            yield source.finding("settings-import", imported.line, "take the value, not the settings")


def http_exception(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    """Errors are domain exceptions; one handler turns them into problem details."""
    if source.inside("core/http"):
        return
    for imported in source.imports():
        if imported.name == "HTTPException":
            yield source.finding("http-exception", imported.line, "raise an exception of the slice instead")


def _is_http_module(stem: str) -> bool:
    """`router.py`, or a router split by use case such as `upload_router.py`."""
    return stem in HTTP_STEMS or stem.endswith(tuple(f"_{name}" for name in HTTP_STEMS))
