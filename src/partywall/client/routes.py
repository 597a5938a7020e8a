"""Connects to the server, directly or through a proxy of the environment, and explains failures."""

from __future__ import annotations

from http.cookiejar import CookieJar, DefaultCookiePolicy
from ipaddress import ip_address
from urllib.request import getproxies, proxy_bypass

import httpx2

from partywall.client.errors import ApiError, ClientError, Problem

_API = "/api/v1"


def open_client(server: str, auth: httpx2.Auth | None, timeout: httpx2.Timeout) -> httpx2.Client:
    """Raises ClientError if the environment sets a proxy or certificates that cannot be used."""
    url = httpx2.URL(server)
    # A proxy cannot reach this machine's loopback.
    direct = {f"all://{url.netloc.decode().rpartition('@')[2]}": None} if _is_loopback(url.host) else None
    try:
        return httpx2.Client(
            base_url=f"{server}{_API}", auth=auth, mounts=direct, timeout=timeout, cookies=no_cookies()
        )
    except ImportError as error:
        raise ClientError("cannot use the SOCKS proxy from the environment: set an HTTP proxy or none") from error
    except (ValueError, httpx2.InvalidURL) as error:
        raise ClientError(f"cannot use the proxy from the environment: {_line(error)}") from error
    except OSError as error:
        raise ClientError(f"cannot use SSL_CERT_FILE or SSL_CERT_DIR: {error.strerror or error}") from error


def no_cookies() -> CookieJar:
    """Returns a jar that stores no cookies, as for every client of the server."""
    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


def advice(server: str) -> str:
    """Returns a hint about a proxy in between; empty if there is none."""
    url = httpx2.URL(server)
    proxies = getproxies()
    scheme = next((each for each in (url.scheme, "all") if proxies.get(each)), None)
    if scheme is None or _is_loopback(url.host) or proxy_bypass(url.host):
        return ""
    name = f"{scheme.upper()}_PROXY"
    return f" (sent through the proxy in {name}: set NO_PROXY={url.host} to bypass it)"


def unexpected_response(server: str, response: httpx2.Response) -> ApiError:
    """Returns the error for a response that is not from Partywall."""
    to = response.headers.get("Location", "")
    if response.is_redirect and to:
        said = f"{server} redirects to {_root(response, to)}: use that as --server"
    else:
        where = advice(server) or ": check that --server is its URL, without a path"
        said = f"{server} answered {response.status_code}, but not like Partywall{where}"
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
