"""Who is let in: a WSGI application around both pages, which asks for the password and turns forged requests away.

A page of another site can make a browser send requests here, and by DNS rebinding even read the answers under its own name:
hence only the names of this address are answered, and what changes something must come from a page of our own.
"""

import base64
import binascii
import hmac
import ipaddress
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

Start = Callable[..., Any]
Application = Callable[[dict[str, Any], Start], Iterable[bytes]]

_READING = ("GET", "HEAD", "OPTIONS")
_OWN_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
# plotly compiles what it draws by WebGL, Dash starts by a script inside the page; nothing comes from elsewhere
_CONTENT = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval'; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; font-src 'self' data:; object-src 'none'; base-uri 'self'; frame-ancestors 'none'"
)
_HEADERS = {
    "X-Frame-Options": "DENY",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": _CONTENT,
}


@dataclass(frozen=True, slots=True)
class Door:
    """The application behind a door.

    Args:
        application: what is behind it.
        host: the address it listens on, as the user wrote it.
        password: None: nobody is asked.
    """

    application: Application
    host: str
    password: str | None

    def __call__(self, environ: dict[str, Any], start_response: Start) -> Iterable[bytes]:
        """Let the request through, or answer 401 or 403."""
        start = _with_headers(start_response)
        if not self._is_own_name(environ.get("HTTP_HOST", "")):
            return _refuse(start, "403 Forbidden", "This address does not go by that name.")
        if self.password is not None and not knows_password(environ.get("HTTP_AUTHORIZATION", ""), self.password):
            ask = [("WWW-Authenticate", 'Basic realm="tuner", charset="UTF-8"')]
            return _refuse(start, "401 Unauthorized", "A password is needed.", ask)
        if environ["REQUEST_METHOD"] not in _READING and not _is_from_own_page(environ):
            return _refuse(start, "403 Forbidden", "Only a page of this address may ask for that.")
        return self.application(environ, start)

    def _is_own_name(self, host: str) -> bool:
        """Any name where a password is asked: others may know the address, or a proxy before it, by names of their own, and to a
        page of another name no browser gives the password along."""
        if self.password is not None:
            return True
        return _name(host) in _OWN_NAMES | {self.host.lower()}


def is_loopback(host: str) -> bool:
    """Whether only this machine reaches the address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def knows_password(authorization: str, password: str) -> bool:
    """Whether a header of HTTP Basic authentication (RFC 7617) holds the password; any user name will do."""
    scheme, _, credentials = authorization.partition(" ")
    if scheme.lower() != "basic":
        return False
    try:
        _, _, given = base64.b64decode(credentials.strip(), validate=True).partition(b":")
    except (binascii.Error, ValueError):
        return False
    return hmac.compare_digest(given, password.encode())


def _is_from_own_page(environ: dict[str, Any]) -> bool:
    """Browsers name the page's address in every request that is no mere reading (Fetch standard, Origin header)."""
    origin = urlsplit(environ.get("HTTP_ORIGIN", ""))
    return bool(origin.netloc) and origin.netloc.lower() == environ.get("HTTP_HOST", "").lower()


def _name(host: str) -> str:
    """The name in a Host header, without its port and brackets."""
    try:
        return (urlsplit(f"//{host}").hostname or "").lower()
    except ValueError:
        return ""


def _with_headers(start_response: Start) -> Start:
    """Adds what every answer carries, where the application has not said it by itself."""

    def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
        said = {name.lower() for name, _ in headers}
        added = [(name, value) for name, value in _HEADERS.items() if name.lower() not in said]
        return start_response(status, [*headers, *added], *more)

    return start


def _refuse(start: Start, status: str, words: str, headers: Iterable[tuple[str, str]] = ()) -> list[bytes]:
    body = words.encode()
    start(status, [("Content-Type", "text/plain; charset=utf-8"), ("Content-Length", str(len(body))), *headers])
    return [body]
