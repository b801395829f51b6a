"""Requests to applications of three frameworks, to be answered as natively.

A row is a conversation with one application: each request is answered alone, by a program that remembers nothing, so
what one leaves to the next are cookies, and `{etag}` in a header value stands for the field of the answer before.
"""

from dataclasses import dataclass, field
from pathlib import Path

TENANTS = Path(__file__).parent / "tenants"


@dataclass(frozen=True)
class Sent:
    """A request."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""


@dataclass(frozen=True)
class Row:
    """Requests to one application, one after the other."""

    name: str
    site: str
    requests: tuple[Sent, ...]


@dataclass
class Answer:
    """What came back, as far as it must be equal."""

    status: int
    fields: list[tuple[str, str]]
    body: bytes
    cookies: dict[str, str] = field(default_factory=dict)


def get(target: str, *headers: tuple[str, str]) -> Sent:
    """Ask by GET."""
    return Sent("GET", target, headers)


def post(target: str, content_type: str, body: bytes | str, *headers: tuple[str, str]) -> Sent:
    """Send content."""
    octets = body.encode() if isinstance(body, str) else body
    return Sent("POST", target, (("Content-Type", content_type), *headers), octets)


URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = "multipart/form-data; boundary=line"
UPLOAD = (
    b'--line\r\nContent-Disposition: form-data; name="text"\r\n\r\nz\xc3\xbcg\r\n'
    b'--line\r\nContent-Disposition: form-data; name="file"; filename="a b.bin"\r\n'
    b"Content-Type: application/octet-stream\r\n\r\n\x00\r\n--lin\xff\r\n--line--\r\n"
)
LARGE_UPLOAD = UPLOAD.replace(b"\x00", b"\x00" * 70_000)
LARGE = bytes(range(256)) * 800
AGENT = ("User-Agent", "table/1.0")
MANY = ("X-Many", "one"), ("X-Many", "two")

FLASK: list[tuple[str, list[Sent]]] = [
    ("text", [get("/")]),
    ("json", [get("/json")]),
    ("list", [get("/list")]),
    ("status and fields", [get("/status")]),
    ("value of the path", [get("/greet/you")]),
    ("encoded path", [get("/greet/a%20b%C3%BC")]),
    ("encoded slash", [get("/greet/a%2Fb")]),
    ("path that is no UTF-8", [get("/greet/%ff")]),
    ("int", [get("/number/21"), get("/number/x"), get("/number/-1")]),
    ("float", [get("/float/1.5")]),
    ("uuid", [get("/uuid/12345678-1234-4234-8234-123456789abc"), get("/uuid/1")]),
    ("rest of the path", [get("/files/a/b/c.txt")]),
    ("missing slash", [get("/slash"), get("/slash/")]),
    ("query", [get("/query?a=1&a=2&b=&c=%C3%BC+x&d"), get("/query")]),
    ("echo", [get("/echo", AGENT, *MANY)]),
    ("echo of content", [post("/echo", "text/plain", "h\u00fc", AGENT)]),
    ("PUT", [Sent("PUT", "/echo", (("Content-Type", "text/plain"), AGENT), b"put")]),
    ("PATCH", [Sent("PATCH", "/echo", (AGENT,), b"patch")]),
    ("DELETE", [Sent("DELETE", "/echo", (AGENT,))]),
    ("HEAD", [Sent("HEAD", "/json")]),
    ("OPTIONS", [Sent("OPTIONS", "/echo")]),
    ("method not allowed", [post("/json", "text/plain", "x")]),
    ("json content", [post("/parse", "application/json", '{"a": [1, "\u00fc"]}')]),
    ("broken json", [post("/parse", "application/json", "{")]),
    ("no json", [post("/parse", "text/plain", "{}")]),
    ("form", [post("/form", URLENCODED, "a=1&a=2&b=%C3%BC+x&c=")]),
    ("upload", [post("/upload", MULTIPART, UPLOAD)]),
    ("large upload", [post("/upload", MULTIPART, LARGE_UPLOAD)]),
    ("form with a cut end", [post("/upload", MULTIPART, UPLOAD[:100])]),
    ("content in pieces", [post("/stream-in", "application/octet-stream", LARGE)]),
    ("content by lines", [post("/lines", "text/plain", "one\ntwo\n\nfour")]),
    ("large content by lines", [post("/lines", "text/plain", b"x" * 70_000 + b"\ny\n")]),
    ("template", [get("/page")]),
    ("cookies", [get("/cookies", ("Cookie", 'a=1; b="x y"; a=2')), get("/cookies")]),
    ("session", [get("/count"), get("/count"), get("/count")]),
    ("forged session", [get("/count", ("Cookie", "session=eyJjb3VudCI6NDF9.aaaa.bbbb"))]),
    ("flash and redirect", [post("/note", URLENCODED, "text=kept"), get("/notes"), get("/notes")]),
    ("redirect", [get("/away")]),
    ("links", [get("/links")]),
    ("stream", [get("/stream?name=a&name=%C3%BC")]),
    ("repeated fields", [get("/repeat")]),
    ("download", [get("/download")]),
    ("conditional", [get("/etag"), get("/etag", ("If-None-Match", "{etag}")), get("/etag", ("If-None-Match", '"x"'))]),
    ("no content", [get("/empty")]),
    ("abort", [get("/forbidden")]),
    ("error handler", [get("/teapot")]),
    ("not found", [get("/nowhere?x=1")]),
    ("hooks", [get("/", ("X-Seen", "somebody"))]),
    ("exception", [get("/fail")]),
    ("blueprint", [get("/shop/"), get("/shop/item/7")]),
    ("static file", [get("/static/site.css"), get("/static/site.css", ("If-None-Match", "{etag}"))]),
    ("range of a static file", [get("/static/site.css", ("Range", "bytes=2-5"))]),
    ("no static file", [get("/static/none.css"), get("/static/../app.py"), get("/static/%2e%2e/app.py")]),
]

BOTTLE: list[tuple[str, list[Sent]]] = [
    ("text", [get("/")]),
    ("json", [get("/json")]),
    ("value of the path", [get("/greet/%3Cyou%3E"), get("/greet/%C3%BC")]),
    ("int", [get("/number/4"), get("/number/x")]),
    ("regular expression", [get("/match/abc"), get("/match/ABC")]),
    ("query", [get("/query?a=1&a=2&u=%C3%BC")]),
    ("echo", [get("/echo?q=1", AGENT), Sent("PUT", "/echo", (AGENT,), b"put")]),
    ("form", [post("/form", URLENCODED, "name=%C3%BC&tag=a&tag=b")]),
    ("upload", [post("/upload", MULTIPART, UPLOAD), post("/upload", MULTIPART, LARGE_UPLOAD)]),
    ("json content", [post("/parse", "application/json", '{"a": 1}'), post("/parse", "application/json", "{")]),
    ("template", [get("/page")]),
    ("cookies", [get("/cookies", ("Cookie", "other=o")), get("/cookies")]),
    ("signed cookie", [get("/signed"), get("/signed"), get("/signed")]),
    ("redirect", [get("/away")]),
    ("abort", [get("/forbidden")]),
    ("static file", [get("/static/note.txt"), get("/static/none.txt"), get("/static/../app.py")]),
    ("generator", [get("/stream")]),
    ("octets and fields", [get("/bytes")]),
    ("not found", [get("/nowhere")]),
    ("method not allowed", [post("/json", "text/plain", "x")]),
    ("HEAD", [Sent("HEAD", "/json")]),
    ("exception", [get("/fail")]),
]

STARLETTE: list[tuple[str, list[Sent]]] = [
    ("coroutine", [get("/")]),
    ("plain function", [get("/plain?name=x")]),
    ("json", [get("/json")]),
    ("state of the lifespan", [get("/state")]),
    ("int", [get("/number/21"), get("/number/x")]),
    ("rest of the path", [get("/files/a/b%20c/d")]),
    ("query", [get("/query?a=1&a=2&b=%C3%BC")]),
    ("echo", [get("/echo", AGENT, *MANY), Sent("PUT", "/echo", (AGENT,), b"put"), Sent("DELETE", "/echo", (AGENT,))]),
    ("json content", [post("/parse", "application/json", '{"a": [1, "\u00fc"]}')]),
    ("form", [post("/form", URLENCODED, "a=1&a=2&b=%C3%BC+x")]),
    ("upload", [post("/upload", MULTIPART, UPLOAD), post("/upload", MULTIPART, LARGE_UPLOAD)]),
    ("content in pieces", [post("/stream-in", "application/octet-stream", LARGE)]),
    ("template in a plain function", [get("/page")]),
    ("template in a coroutine", [get("/page-async")]),
    ("cookies", [get("/cookies", ("Cookie", "a=1; b=x")), get("/cookies")]),
    ("session", [get("/count"), get("/count"), get("/count")]),
    ("redirect", [get("/away")]),
    ("stream from a coroutine", [get("/stream")]),
    ("stream from a generator", [get("/stream-plain")]),
    ("sleep, gather, groups, timeouts", [get("/tasks")]),
    ("queue and lock", [get("/queue")]),
    ("context variables", [get("/context")]),
    ("threads", [get("/threads")]),
    ("anyio", [get("/groups")]),
    ("background task", [get("/background")]),
    ("file", [get("/file"), get("/file", ("Range", "bytes=0-4"))]),
    ("HTTP exception", [get("/forbidden")]),
    ("exception handler", [get("/teapot")]),
    ("exception", [get("/fail")]),
    ("compressed", [get("/large", ("Accept-Encoding", "gzip")), get("/large", ("Accept-Encoding", "identity"))]),
    ("endpoint", [get("/thing"), post("/thing", "text/plain", "x"), Sent("PUT", "/thing"), Sent("HEAD", "/thing")]),
    ("nested", [get("/nested/inner")]),
    ("static file", [get("/static/note.txt"), get("/static/note.txt", ("If-None-Match", "{etag}"))]),
    ("no static file", [get("/static/none"), get("/static/../app.py"), get("/static/%2e%2e/app.py")]),
    ("other origin", [get("/", ("Origin", "https://example.org")), get("/", ("Origin", "https://example.com"))]),
    (
        "question of another origin",
        [Sent("OPTIONS", "/", (("Origin", "https://example.org"), ("Access-Control-Request-Method", "PUT")))],
    ),
    ("method not allowed", [post("/json", "text/plain", "x")]),
    ("not found", [get("/nowhere")]),
]

ROWS = [
    Row(name, site, tuple(requests))
    for site, rows in {"flask-site": FLASK, "bottle-site": BOTTLE, "starlette-site": STARLETTE}.items()
    for name, requests in rows
]
