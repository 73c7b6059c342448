"""Explain why an address could not be reached or listened on, and what to do about it."""

from __future__ import annotations

import errno
import socket
import ssl
from collections.abc import Iterator

_DOMAIN = "Check the name for a slip, and that its DNS record points to this server."
_CERTIFICATE = (
    "Let the web server fetch a certificate from a public authority; Caddy does it by itself, certbot does it for nginx."
)
_SERVER = "Check that the web server runs, listens on that port, and that the firewall lets it through."
_CHAIN = "Give the web server the full chain (fullchain.pem), not the certificate alone."

# By OpenSSL's numbers, X509_V_ERR_…
_CERTIFICATES = {
    10: ("the TLS certificate has expired", "Renew the certificate, and see why it is not renewed by itself."),
    18: ("the TLS certificate is self-signed", _CERTIFICATE),
    19: ("the TLS certificate is self-signed", _CERTIFICATE),
    20: ("the TLS certificate comes without those that vouch for it", _CHAIN),
    21: ("the TLS certificate comes without those that vouch for it", _CHAIN),
    62: ("the TLS certificate is for another name", "Fetch a certificate for this very name, or correct the address."),
}


def explain_unreachable(error: BaseException) -> tuple[str, str]:
    """Return why a request got no response and what to do about it, from the exception that an HTTP client raised.

    The client's own text is left out, since it may repeat what was sent.
    """
    causes = list(_causes(error))
    for cause in causes:
        # HTTP clients' own classes may extend ssl's and lack what those tell; the real one lies among the causes then.
        if isinstance(cause, ssl.SSLCertVerificationError) and hasattr(cause, "verify_code"):
            unknown = (f"the TLS certificate is not valid ({cause.verify_message})", _CERTIFICATE)
            return _CERTIFICATES.get(cause.verify_code, unknown)
    for cause in causes:
        if isinstance(cause, ssl.SSLError) and hasattr(cause, "reason"):
            reason = f" ({cause.reason})" if cause.reason else ""
            return f"no TLS connection came about{reason}", "Check that the web server speaks HTTPS on that port, not plain HTTP."
        if isinstance(cause, socket.gaierror):
            return "the name cannot be resolved", _DOMAIN
        if isinstance(cause, ConnectionRefusedError):
            return "the connection was refused", _SERVER
        if isinstance(cause, ConnectionResetError):
            return "the connection was cut", _SERVER
    if any(isinstance(cause, TimeoutError) for cause in causes):
        return "no answer came in time", f"{_SERVER} From inside some networks their own public address cannot be reached."
    return f"no answer came ({type(error).__name__})", _SERVER


FORBIDDEN = frozenset({errno.EACCES, errno.EPERM})
"""Errors of a listener that do not pass by waiting: what this user may not do stays so."""


def explain_not_listening(host: str, port: int, error: OSError) -> str:
    """Return why a listener could not be opened and what to do about it."""
    if isinstance(error, socket.gaierror):
        return f"this machine does not know the name {host}; write an address such as 127.0.0.1"
    if error.errno in FORBIDDEN:
        return "this user may not use it; ports below 1024 need a privilege, choose another one"
    if error.errno == errno.EADDRINUSE:
        return f"another program listens there (`ss -ltnp 'sport = :{port}'` shows which); stop it, or choose another port"
    if error.errno == errno.EADDRNOTAVAIL:
        return "this machine has no such address, or not yet; `ip address` lists those it has"
    return error.strerror or type(error).__name__


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Yield the exception and all exceptions that led to it, each once."""
    seen: list[BaseException] = []
    waiting: list[object] = [error]
    while waiting:
        each = waiting.pop(0)
        if not isinstance(each, BaseException) or each in seen:
            continue
        seen.append(each)
        yield each
        waiting += [each.__cause__, each.__context__, getattr(each, "os_error", None), getattr(each, "certificate_error", None)]
