"""Cookies are refused, because one client serves many projects and servers."""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy


def no_cookies() -> CookieJar:
    """A cookie jar that accepts no cookies."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))
