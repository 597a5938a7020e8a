"""One client serves many projects and servers: what one of them asks to be remembered is not for the others."""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy


def no_cookies() -> CookieJar:
    """Takes a cookie from nobody, and so stays empty."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))
