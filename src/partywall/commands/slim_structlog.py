from __future__ import annotations

import sys
from importlib import import_module
from types import ModuleType
from typing import cast


def import_structlog() -> None:
    """Imports structlog without rich, which it would load for tracebacks on a terminal: 9 MB in each process.

    Rich can still be imported afterwards.
    """
    if "structlog" in sys.modules or "rich" in sys.modules:
        return
    # None makes `import rich` raise ImportError, which structlog expects: rich is optional for it.
    cast("dict[str, ModuleType | None]", sys.modules)["rich"] = None
    try:
        import_module("structlog")
    finally:
        del sys.modules["rich"]
