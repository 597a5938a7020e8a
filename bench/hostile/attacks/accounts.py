"""Passwords, tokens and registrations, especially against the honest account."""

from __future__ import annotations

import itertools
from base64 import urlsafe_b64encode
from collections.abc import Awaitable, Callable
from urllib.parse import urlencode
from uuid import uuid4

from bench.hostile.attack import Attack
from bench.hostile.hostile import API, HOSTS, Hostile
from bench.hostile.names import HONEST_EMAIL
from bench.hostile.wire import request

type Run = Callable[[Hostile], Awaitable[None]]


def form(path: str, **fields: str) -> bytes:
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    return request("POST", API + path, body=urlencode(fields).encode(), headers=headers)


def login(username: str, password: str = "a wrong password") -> bytes:
    return form("/auth/token", grant_type="password", username=username, password=password)


def many(
    build: Callable[[int], bytes], *, connections: int = 8, most: int = 3000, addresses: int = 1, first: int = 0
) -> Run:
    """`build(n)` makes the n-th request."""

    async def run(hostile: Hostile) -> None:
        hostile.begin()
        lines = (build(number) for number in itertools.count())
        await hostile.flood(lines, connections=connections, most=most, addresses=addresses, first_address=first)

    return run


def register(number: int) -> bytes:
    body = {"email": f"stranger{number}@hostile.example", "password": "a password of a stranger"}
    return request("POST", f"{API}/auth/register", body=body)


def long_password(number: int) -> bytes:
    return login(f"a{number}@b.example", "\u00fc" * 30_000)


def refresh(number: int) -> bytes:
    return form("/auth/token", grant_type="refresh_token", refresh_token=f"garbage-{number}" * 8)


def garbage_token(number: int) -> bytes:
    """Unsigned, wrongly signed, far too long, or of a key that does not exist."""
    none = urlsafe_b64encode(b'{"alg":"none","kid":"' + b"a" * (number % 4) * 2000 + b'"}').decode().rstrip("=")
    signed = urlsafe_b64encode(b'{"alg":"EdDSA","kid":"%d"}' % number).decode().rstrip("=")
    bodies = (
        f"{none}.e30.",
        f"{signed}.e30.AAAA",
        "a" * 8000,
        "." * 8000,
        f"pw_{number:012d}_{'a' * 40}",
        "pw_" + "_" * 7000,
    )
    return request("GET", f"{API}/projects/{uuid4()}/documents", token=bodies[number % len(bodies)])


def mail_token(number: int) -> bytes:
    """Requests for mails, and tokens that no mail contained."""
    body: dict[str, str] = {"email": f"garbage{number}@example.com"}
    mails = ("/auth/email/resend", "/auth/password/forgot")
    takes = ("/auth/email/verify", "/auth/unlock", "/invitations/accept")
    if number % 3 == 0:
        return request("POST", API + mails[number // 3 % len(mails)], body=body)
    return request("POST", API + takes[number // 3 % len(takes)], body={"token": f"garbage{number}" * 20})


def revoke(number: int) -> bytes:
    return form("/auth/revoke", token=f"garbage{number}" * 50)


async def own_logins(hostile: Hostile) -> None:
    """Concurrent logins with the right password, each of which is costly to verify."""
    await hostile.set_up()
    line = login(f"{hostile.name}@hostile.example", "a password of a hostile account")
    hostile.begin()
    await hostile.flood(itertools.repeat(line), connections=24, most=500, addresses=24)


async def own_account(hostile: Hostile) -> None:
    await hostile.set_up()
    lines = [
        hostile.ask("GET", f"{API}/auth/sessions"),
        hostile.ask("PATCH", f"{API}/users/me", {"full_name": "a" * 20_000}),
    ]
    lines += [
        hostile.ask("DELETE", f"{API}/auth/sessions/{uuid4()}"),
        hostile.ask("PATCH", f"{API}/users/me", {"full_name": "a"}),
    ]
    hostile.begin()
    await hostile.flood(itertools.cycle(lines), connections=16)


async def outsiders_projects(hostile: Hostile) -> None:
    """Random project ids, as fast as possible."""
    await hostile.set_up()
    ways = ("/documents", "/events", "/runs", "/search?q=a", "/members", "/webhooks", "/budget", "/api-keys")
    lines = (hostile.ask("GET", f"{API}/projects/{uuid4()}{way}") for way in itertools.cycle(ways))
    hostile.begin()
    await hostile.flood(lines, connections=16)


ATTACKS = (
    Attack(
        "login-honest", 8, "wrong passwords for the honest account, one address", many(lambda _: login(HONEST_EMAIL))
    ),
    Attack(
        "login-honest-networks",
        8,
        "the same from 100 networks",
        many(lambda _: login(HONEST_EMAIL), connections=100, addresses=100, first=HOSTS),
    ),
    Attack(
        "registrations-networks",
        8,
        "registrations of strangers from 100 networks",
        many(register, connections=32, addresses=100, first=HOSTS),
    ),
    Attack(
        "login-honest-many",
        8,
        "the same from 100 addresses",
        many(lambda _: login(HONEST_EMAIL), connections=100, addresses=100),
        weight=3,
    ),
    Attack(
        "login-unknown",
        8,
        "passwords of unknown addresses",
        many(lambda n: login(f"a{n}@b.example"), connections=24, addresses=24),
    ),
    Attack("login-own", 8, "right passwords, 24 at once", own_logins),
    Attack("login-long", 8, "passwords of 60 KB", many(long_password)),
    Attack(
        "registrations", 8, "registrations of strangers from 24 addresses", many(register, connections=24, addresses=24)
    ),
    Attack("refresh-garbage", 8, "refresh tokens that nobody was given", many(refresh, connections=16)),
    Attack("revoke-garbage", 8, "the same to be revoked", many(revoke, connections=16)),
    Attack("tokens-garbage", 8, "access tokens and keys that nobody was given", many(garbage_token, connections=16)),
    Attack("mail-tokens", 8, "garbage for the tokens of mails", many(mail_token, connections=16)),
    Attack("own-account", 8, "sessions listed, names changed, 16 at once", own_account),
    Attack("foreign-projects", 3, "projects that do not exist, 16 at once", outsiders_projects),
)
