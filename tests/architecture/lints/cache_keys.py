"""Cache keys and channels are built in one module, which requires a scope for project data."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from partywall.checks.source import Codebase, Finding, Source
from partywall.checks.tables import called_name

HOME = "core/cache_keys.py"
TYPE = "CacheKey"
CLIENT = re.compile(r"(?:^|[._])(?:cache|redis|valkey|pubsub|pipe|pipeline)(?:\(\))?$", re.IGNORECASE)
COMMANDS = {
    "append", "decr", "delete", "exists", "expire", "get", "getdel", "getex", "getset", "hdel", "hget", "hgetall",
    "hset", "incr", "incrby", "lpush", "lrange", "mget", "psubscribe", "publish", "pttl", "rpush", "sadd", "set",
    "setex", "setnx", "sismember", "smembers", "srem", "ssubscribe", "subscribe", "ttl", "unlink", "unsubscribe",
    "xadd", "zadd", "zrange", "zrem",
}  # fmt: skip
LOOKS_LIKE_A_KEY = re.compile(r"^[a-z][a-z_-]*:(?!//)\S*$")


def composed_key(source: Source, _codebase: Codebase) -> Iterator[Finding]:
    """Other modules neither build a key from text, pass text to the cache, nor declare a text to be a key."""
    if source.inside(HOME):
        return
    composed = {
        target.id
        for node in source.nodes(ast.Assign)
        if _is_text(node.value)
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for call in source.nodes(ast.Call):
        if _asks_the_cache(call) and any(_is_text(key) or _named(key, composed) for key in _arguments(call)):
            yield source.finding("cache-key", call.lineno, f"{ast.unparse(call)[:60]}: name the key in {HOME}")
        if called_name(call) == TYPE and call.args and _is_text(call.args[0]):
            yield source.finding("cache-key", call.lineno, f"{TYPE} of a text: name the key in {HOME}")
    yield from _keys_beside_the_client(source)


def _asks_the_cache(call: ast.Call) -> bool:
    function = call.func
    return (
        isinstance(function, ast.Attribute)
        and function.attr in COMMANDS
        and CLIENT.search(ast.unparse(function.value)) is not None
    )


def _arguments(call: ast.Call) -> list[ast.expr]:
    """The key is the first argument or has this name."""
    return [*call.args[:1], *(each.value for each in call.keywords if each.arg in {"name", "key", "channel"})]


def _is_text(value: ast.expr) -> bool:
    match value:
        case ast.JoinedStr() | ast.BinOp():
            return True
        case ast.Constant():
            return isinstance(value.value, str | bytes)
        case ast.Call():
            return called_name(value) in {"format", "str", "join", "encode"}
    return False


def _named(key: ast.expr, names: set[str]) -> bool:
    return isinstance(key, ast.Name) and key.id in names


def _keys_beside_the_client(source: Source) -> Iterator[Finding]:
    """Text that looks like a key, in a module that uses the cache client."""
    if not any(imported.module.partition(".")[0] in {"redis", "valkey"} for imported in source.imports()):
        return
    for node in source.nodes(ast.JoinedStr):
        if LOOKS_LIKE_A_KEY.match(ast.unparse(node).removeprefix("f").strip("'\"")):
            yield source.finding("cache-key", node.lineno, f"{ast.unparse(node)}: name the key in {HOME}")
