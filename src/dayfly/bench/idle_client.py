"""Connections that have had one answer each and then wait: `python -m dayfly.bench.idle_client HOST PORT COUNT`.

A process of its own, so that its memory is not counted as the server's. Prints a line when all wait, and ends with its
input.
"""

import resource
import socket
import sys

REQUEST = b"GET /z HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"


def main(host: str, port: str, count: str) -> None:
    """Connect, ask, and wait."""
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    waiting = [_asked(host, int(port)) for _ in range(int(count))]
    sys.stdout.write(f"{len(waiting)}\n")
    sys.stdout.flush()
    sys.stdin.read()


def _asked(host: str, port: int) -> socket.socket:
    connection = socket.create_connection((host, port), timeout=30)
    connection.sendall(REQUEST)
    if not connection.recv(65536).startswith(b"HTTP/1.1 200 "):
        raise SystemExit(1)
    return connection


if __name__ == "__main__":
    main(*sys.argv[1:])
