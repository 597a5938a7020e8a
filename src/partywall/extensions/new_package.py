"""Writes a new package with a feature, from the files in `package_template`."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from importlib.util import find_spec
from keyword import iskeyword
from pathlib import Path
from typing import Final

from partywall import __version__
from partywall.core.feature import Feature, FeatureError
from partywall.core.lazy import lazy
from partywall.extensions.enabled import enabled_features, offered_names
from partywall.extensions.name_checks import name_problems

_TEMPLATE: Final = Path(__file__).with_name("package_template")
_SUFFIX: Final = ".txt"
_PLACE: Final = re.compile(r"\{\{(\w+)\}\}")


def write_package(name: str, directory: Path) -> list[Path]:
    """Creates the directory with the package, and returns its files. Raises FeatureError if it cannot."""
    if problem := next(_problems(name), None):
        raise FeatureError(problem)
    if directory.exists() or directory.is_symlink():
        raise FeatureError(f"{directory} exists already: give another directory with --dir")
    words = {
        "name": name, "path": name.replace("_", "-"), "title": name.replace("_", " "), "prefix": name.upper(),
        "version": __version__,
    }  # fmt: skip
    written = []
    for source in sorted(_TEMPLATE.rglob(f"*{_SUFFIX}")):
        place = str(source.relative_to(_TEMPLATE)).removesuffix(_SUFFIX).replace("NAME", name)
        target = directory / place
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(_PLACE.sub(lambda found: words[found[1]], source.read_text()))
        written.append(target)
    return written


def _problems(name: str) -> Iterator[str]:
    feature = Feature(name=name, settings=lazy(f"{name}.settings:ItemSettings"))
    features = (*enabled_features(), feature)
    yield from (str(problem) for problem in name_problems(features) if problem.feature == name)
    for other in sorted(offered_names()):
        if name.startswith(f"{other}_") or f"{other}_".startswith(f"{name}_"):
            yield f"the feature {name} has a name like the installed feature {other}: choose one that begins otherwise"
    if iskeyword(name) or name in sys.stdlib_module_names or find_spec(name) is not None:
        yield f"the feature {name} has the name of a Python module or keyword: choose another"
