"""How requests get to the server: past or through a proxy of the environment, and what to do where they do not."""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address
from urllib.request import getproxies, proxy_bypass

import httpx2

from partywall.client.errors import ApiError, ClientError, Problem

_API = "/api/v1"


def open_client(server: str, auth: httpx2.Auth | None, timeout: httpx2.Timeout) -> httpx2.Client:
    """Raises ClientError where the environment names a proxy or certificates that cannot be used."""
    url = httpx2.URL(server)
    # No proxy reaches this machine's own loopback.
    direct = {f"all://{url.netloc.decode().rpartition('@')[2]}": None} if _is_loopback(url.host) else None
    try:
        return httpx2.Client(
            base_url=f"{server}{_API}", auth=auth, mounts=direct, timeout=timeout, cookies=no_cookies()
        )
    except ImportError as error:
        raise ClientError(
            "a SOCKS proxy that the environment names cannot be used: name an HTTP proxy or none"
        ) from error
    except (ValueError, httpx2.InvalidURL) as error:
        raise ClientError(f"a proxy that the environment names cannot be used: {_line(error)}") from error
    except OSError as error:
        raise ClientError(f"SSL_CERT_FILE or SSL_CERT_DIR cannot be used: {error.strerror or error}") from error


def no_cookies() -> CookieJar:
    """As of every client of the server: what is remembered between requests is the session, and nothing else."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


def advice(server: str) -> str:
    """What to do about a proxy in between; empty where there is none."""
    url = httpx2.URL(server)
    proxies = getproxies()
    scheme = next((each for each in (url.scheme, "all") if proxies.get(each)), None)
    if scheme is None or _is_loopback(url.host) or proxy_bypass(url.host):
        return ""
    name = f"{scheme.upper()}_PROXY"
    return f" (asked through the proxy that {name} names: set NO_PROXY={url.host} to go past it)"


def not_ours(server: str, response: httpx2.Response) -> ApiError:
    """An answer that says nothing of what Partywall would."""
    to = response.headers.get("Location", "")
    if response.is_redirect and to:
        said = f"{server} sends to {_root(response, to)}: give that as --server"
    else:
        where = advice(server) or ": is --server its address, without a path?"
        said = f"{server} answered {response.status_code}, not as Partywall does{where}"
    return ApiError(response.status_code, Problem(detail=said))


def _root(response: httpx2.Response, location: str) -> str:
    url = response.url.join(location)
    return str(url.copy_with(path=url.path.partition(_API)[0], query=None, fragment=None)).rstrip("/")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def _line(error: Exception) -> str:
    return str(error).splitlines()[0] if str(error) else type(error).__name__
