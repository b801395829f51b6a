"""One program without a sandbox: `application` for WSGI servers, `asgi` for ASGI servers.

`DAYFLY_BENCH_PROGRAM` is its directory. As a script, a server that forks a process for each request from this one, which has
imported the program before: the isolation that an operating system gives by itself. `python native.py PORT`
"""

import contextlib
import importlib.util
import inspect
import io
import os
import socket
import sys
from pathlib import Path


def load(directory):
    """Import the program as a server would."""
    spec = importlib.util.spec_from_file_location("app", Path(directory, "app.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["app"] = module
    spec.loader.exec_module(module)
    return module


program = load(os.environ["DAYFLY_BENCH_PROGRAM"])
handle = getattr(program, "on_client_request", None)
TAKES = tuple(inspect.signature(handle).parameters) if handle else ()


def answer(parts):
    """Call the handler with what it takes; return status, content type and octets."""
    result = handle(*(parts[name]() for name in TAKES))
    if callable(result):
        result = result()
    if isinstance(result, str):
        result = ("text/html; charset=utf-8", result)
    first, body = result
    status, content_type = (first, "text/plain") if isinstance(first, int) else (200, first)
    return status, content_type, body.encode()


def handler_as_wsgi(environ, start_response):
    """Answer with the handler, by way of PEP 3333."""
    parts = {
        "path": lambda: environ["PATH_INFO"],
        "query": lambda: environ["QUERY_STRING"],
        "body": lambda: environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0)),
    }
    status, content_type, body = answer(parts)
    fields = [("Content-Type", content_type), ("Content-Length", str(len(body)))]
    start_response(f"{status} {'OK' if status == 200 else 'Not Found'}", fields)
    return [body]


application = handler_as_wsgi if handle else program.app


async def asgi(scope, receive, send):
    """Answer with the handler, by way of ASGI 3."""
    content = b""
    if "body" in TAKES:
        more = True
        while more:
            event = await receive()
            content += event.get("body", b"")
            more = event.get("more_body", False)
    parts = {"path": lambda: scope["path"], "query": lambda: scope["query_string"].decode(), "body": lambda: content}
    status, content_type, body = answer(parts)
    fields = [(b"content-type", content_type.encode()), (b"content-length", str(len(body)).encode())]
    await send({"type": "http.response.start", "status": status, "headers": fields})
    await send({"type": "http.response.body", "body": body})


def serve_forking(port):
    """Serve one connection after the other; each request is answered by a new process."""
    with socket.create_server(("127.0.0.1", port), backlog=1024) as listener:
        print("serving", listener.getsockname()[1], flush=True)
        while True:
            connection, _ = listener.accept()
            with connection, contextlib.suppress(ConnectionError):  # the load generator leaves as it likes
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                serve_connection(connection)


def serve_connection(connection):
    """Read requests; fork for each of them, and wait for its end."""
    received = b""
    while True:
        while b"\r\n\r\n" not in received:
            more = connection.recv(65536)
            if not more:
                return
            received += more
        head, _, received = received.partition(b"\r\n\r\n")
        lines = head.decode("latin-1").split("\r\n")
        fields = dict(line.lower().split(": ", 1) for line in lines[1:])
        length = int(fields.get("content-length", 0))
        while len(received) < length:
            received += connection.recv(65536)
        content, received = received[:length], received[length:]
        child = os.fork()
        if child == 0:
            connection.sendall(response(lines[0].split(" "), content))
            os._exit(0)
        os.waitpid(child, 0)


def response(request_line, content):
    """Answer one request by way of WSGI; return the whole message."""
    method, target, _ = request_line
    path, _, query = target.partition("?")
    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "SCRIPT_NAME": "",
        "QUERY_STRING": query,
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "80",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "CONTENT_LENGTH": str(len(content)),
        "wsgi.input": io.BytesIO(content),
        "wsgi.url_scheme": "http",
        "wsgi.version": (1, 0),
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": False,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    said = []
    body = b"".join(application(environ, lambda status, fields, *_: said.append((status, fields))))
    status, fields = said[-1]
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields if name.lower() != "content-length")
    return f"HTTP/1.1 {status}\r\n{lines}Content-Length: {len(body)}\r\n\r\n".encode() + body


if __name__ == "__main__":
    serve_forking(int(sys.argv[1]))
