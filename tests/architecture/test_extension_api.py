"""`partywall.api` is documented, and imports no web framework where workers use it."""

from __future__ import annotations

import pkgutil
import re
import subprocess
import sys
from importlib import import_module

from partywall import api
from tests.architecture.layout import ROOT

PAGE = (ROOT / "docs" / "reference" / "extension-api.md").read_text()
MODULES = ["partywall.api", *(f"partywall.api.{module.name}" for module in pkgutil.iter_modules(api.__path__))]


def test_every_public_name_is_documented_and_nothing_else() -> None:
    parts = re.split(r"(?m)^### `(partywall\.api[a-z.]*)`$", PAGE)[1:]
    documented = {
        module: sorted(name for row in re.findall(r"(?m)^\| (`.*?) \|", text) for name in re.findall(r"`(\w+)`", row))
        for module, text in zip(parts[::2], parts[1::2], strict=True)
    }
    assert documented == {module: sorted(import_module(module).__all__) for module in MODULES}


def test_a_worker_can_use_it_without_a_web_framework() -> None:
    used = ", ".join(name for name in MODULES if name != "partywall.api.http")
    program = f"import sys, {used}\nassert 'fastapi' not in sys.modules"
    subprocess.run([sys.executable, "-c", program], check=True)
