"""Every pattern and every third-party parser that reads text is tested with hostile text in `tests/growth`."""

from __future__ import annotations

import ast
from collections.abc import Iterator

from partywall.checks.source import Codebase, Finding, Source
from tests.growth.inventory import PLACES

# The functions of `re` that compile or use a pattern.
RE = {"compile", "match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
# Third-party parsers that have been slow, or could be: by the last name in a call.
PARSERS = {
    "Decimal", "Fraction", "IPv4Address", "IPv6Address", "LexborHTMLParser", "b64decode", "encode_batch_fast",
    "fnmatch", "fnmatchcase", "fromisoformat", "getaddresses", "header_factory", "ip_address", "literal_eval",
    "parse_qsl", "parsedate_to_datetime", "splitlines", "unquote", "unquote_to_bytes", "urlsafe_b64decode", "urlsplit",
    "validate_email",
}  # fmt: skip
# By their last two names, because the last alone is ambiguous.
QUALIFIED = {"httpx2.URL", "idna.decode", "idna.encode", "json.loads", "unicodedata.normalize"}


def patterns(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    if source.inside("checks"):  # reads the source of the developer who runs it
        return
    for place, node in readers(source):
        if f"{source.path}:{place}" not in PLACES:
            message = f"{place} reads text by a pattern or parser that tests/growth/inventory.py does not list"
            yield source.finding("patterns", node.lineno, message)


def readers(source: Source) -> Iterator[tuple[str, ast.Call]]:
    """Each with its place: the name that it is bound to, within its classes and functions."""
    yield from _readers(source.tree, (), _named_from_re(source))


def _named_from_re(source: Source) -> frozenset[str]:
    return frozenset(each.name for each in source.imports() if each.module == "re" and each.name in RE)


def _readers(node: ast.AST, place: tuple[str, ...], bare: frozenset[str]) -> Iterator[tuple[str, ast.Call]]:
    for child in ast.iter_child_nodes(node):
        inside = (*place, *_name(child))
        if isinstance(child, ast.Call) and _reads(child, bare):
            yield ".".join(inside), child
        yield from _readers(child, inside, bare)


def _name(node: ast.AST) -> tuple[str, ...]:
    match node:
        case ast.ClassDef() | ast.FunctionDef() | ast.AsyncFunctionDef():
            return (node.name,)
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)):
            return (name,) if name.lstrip("_")[:1].isupper() else ()
        case ast.TypeAlias(name=ast.Name(id=name)):
            return (name,)
    return ()


def _reads(call: ast.Call, bare: frozenset[str]) -> bool:
    called = ast.unparse(call.func).split(".")
    if called[0] in ("re", "regex") and called[-1] in RE:
        return True
    if any(keyword.arg == "pattern" for keyword in call.keywords) or (len(called) == 1 and called[0] in bare):
        return True
    if call.args and all(isinstance(each, ast.Constant) for each in call.args):
        return False
    return called[-1] in PARSERS or ".".join(called[-2:]) in QUALIFIED
