"""Stands for the module `ssl`, which needs a library that sandboxes lack: libraries import it long before they connect.

Its names exist, so that imports, annotations and `except` clauses work; whoever wants a connection is told that there
is no network.
"""

import enum
import errno
import socket
from typing import Any, NoReturn

OPENSSL_VERSION = "none"
OPENSSL_VERSION_INFO = (0, 0, 0, 0, 0)
OPENSSL_VERSION_NUMBER = 0
HAS_SNI = HAS_ALPN = HAS_NPN = HAS_TLSv1_2 = HAS_TLSv1_3 = HAS_NEVER_CHECK_COMMON_NAME = False
CHANNEL_BINDING_TYPES: list[str] = []


class SSLError(OSError):
    library = reason = ""


class SSLZeroReturnError(SSLError): ...


class SSLWantReadError(SSLError): ...


class SSLWantWriteError(SSLError): ...


class SSLSyscallError(SSLError): ...


class SSLEOFError(SSLError): ...


class SSLCertVerificationError(SSLError, ValueError):
    verify_code = 0
    verify_message = ""


CertificateError = SSLCertVerificationError


class Purpose(enum.Enum):
    SERVER_AUTH = "1.3.6.1.5.5.7.3.1"
    CLIENT_AUTH = "1.3.6.1.5.5.7.3.2"


class VerifyMode(enum.IntEnum):
    CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED = range(3)


class TLSVersion(enum.IntEnum):
    MINIMUM_SUPPORTED = -2
    MAXIMUM_SUPPORTED = -1
    SSLv3, TLSv1, TLSv1_1, TLSv1_2, TLSv1_3 = range(0x300, 0x305)


CERT_NONE, CERT_OPTIONAL, CERT_REQUIRED = VerifyMode


def _no_network(*_args: Any, **_kwargs: Any) -> NoReturn:
    raise OSError(errno.ENETUNREACH, "a sandbox has no network")


class SSLContext:
    __init__ = _no_network


class SSLObject:
    __init__ = _no_network


class MemoryBIO:
    __init__ = _no_network


class SSLSession:
    __init__ = _no_network


class SSLSocket(socket.socket):
    __init__ = _no_network


create_default_context = _create_unverified_context = _create_default_https_context = wrap_socket = _no_network
get_server_certificate = _no_network


def __getattr__(name: str) -> int:
    if name.startswith(("OP_", "PROTOCOL_", "VERIFY_", "ALERT_DESCRIPTION_", "SSL_ERROR_", "HAS_")):
        return 0
    raise AttributeError(f"module `ssl` has no attribute `{name}`")
