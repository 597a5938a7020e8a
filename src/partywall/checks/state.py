from __future__ import annotations

import ast
from collections.abc import Iterator

from partywall.checks.source import Codebase, Finding, Source
from partywall.checks.tables import called_name

RESOURCES = {
    "AsyncClient", "Client", "ConnectionPool", "Event", "FastAPI", "Lock", "OrderedDict",
    "ProcessPoolExecutor", "Queue", "Redis", "Semaphore", "Settings", "Starlette", "ThreadPoolExecutor",
    "Valkey", "WeakKeyDictionary", "WeakValueDictionary", "async_sessionmaker", "create_app",
    "create_async_engine", "create_pool", "defaultdict", "deque",
}  # fmt: skip
CONTAINERS = {"dict", "list", "set"}
ONE_APP = "asgi.py"


def module_state(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    """Mutable state is built in the lifespan and passed on; a module holds constants."""
    for statement in source.tree.body:
        value = statement.value if isinstance(statement, ast.Assign | ast.AnnAssign) else None
        if value is not None and _is_state(value) and not source.inside(ONE_APP):
            message = f"{ast.unparse(value)[:40]} at module level is global state: build it in the lifespan"
            yield source.finding("module-state", statement.lineno, message)
    for node in source.nodes(ast.Global):
        yield source.finding("module-state", node.lineno, f"global {', '.join(node.names)}")


def _is_state(value: ast.expr) -> bool:
    """An empty container at module level can only be meant to be filled later."""
    match value:
        case ast.Call():
            name = called_name(value)
            return name in RESOURCES or (name in CONTAINERS and not value.args and not value.keywords)
        case ast.Dict():
            return not value.keys
        case ast.List():
            return not value.elts
    return False


def untracked_task(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    """Tasks belong to a task group, which waits for them and raises their errors."""
    for node in source.nodes(ast.Call):
        owner = node.func.value if isinstance(node.func, ast.Attribute) else None
        if called_name(node) == "ensure_future" or (called_name(node) == "create_task" and _is_loop(owner)):
            yield source.finding("untracked-task", node.lineno, f"{called_name(node)} outside a task group")
        if called_name(node) == "gather" and (owner is None or ast.unparse(owner) == "asyncio"):
            yield source.finding("untracked-task", node.lineno, "gather leaves the others running when one fails")


def _is_loop(owner: ast.expr | None) -> bool:
    """`asyncio`, a loop, or nothing (the imported function); anything else is a task group."""
    return owner is None or ast.unparse(owner).rpartition(".")[2].rstrip("()") in {
        "asyncio",
        "loop",
        "get_running_loop",
    }
