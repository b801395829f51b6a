"""What requests commonly do, done while the base is made: byte code gets specialised and caches are filled.

A page that a request would write for that is then never written again. Nothing here leaves a trace that a program
could see.
"""

import base64
import collections
import copy
import dataclasses
import datetime
import decimal
import enum
import fractions
import functools
import hashlib
import heapq
import hmac
import html
import html.parser
import io
import itertools
import json
import logging
import operator
import os
import pathlib
import pickle
import random
import re
import secrets
import statistics
import string
import tempfile
import textwrap
import time
import types
import urllib.parse
import uuid
import xml.etree.ElementTree as ET

from . import fresh
from .output import Stream
from .report import report

TIMES = 40
"""Enough for the interpreter to specialise what it runs."""


def warm() -> None:
    """Do everything often enough."""
    for _ in range(TIMES):
        for step in _STEPS:
            step()
    _forget()


def _json() -> None:
    data = {"path": "/a/b", "n": [1, 2.5, None, True], "s": "\u00fc", "nested": {"key": ["a", {"b": 1}]}}
    json.loads(json.dumps(data, sort_keys=True))
    json.loads(json.dumps(data, indent=1))
    json.dumps("a", ensure_ascii=False)
    json.loads(b'{"a": [1, -2.5e3, "\\u00fc\\n"]}')
    try:
        json.loads("{")
    except json.JSONDecodeError:
        pass


def _urls() -> None:
    query = "a=b&c=1&a=%20x+y"
    urllib.parse.parse_qs(query)
    urllib.parse.parse_qsl(query, keep_blank_values=True)
    urllib.parse.urlsplit(f"http://host:80/a/b?{query}#f").geturl()
    urllib.parse.urljoin("http://host/a/", "../b")
    urllib.parse.unquote(urllib.parse.quote("/a b/\u00fc"))
    urllib.parse.unquote_plus(urllib.parse.quote_plus("a b"))
    urllib.parse.urlencode({"a": "b c", "d": [1, 2]}, doseq=True)


def _patterns() -> None:
    pattern = re.compile(r"(?P<k>\w+)=(?P<v>[^&]*)")
    for match in pattern.finditer("a=b&c=1"):
        match.groupdict()
    re.sub("[/ ]+", "-", "/a b/c")
    re.sub(r"(\w)(\w)", r"\2\1", "ab cd")
    re.sub(r"\w", lambda match: match[0].upper(), "ab")
    re.match("/a", "/a/b")
    re.fullmatch(r"/items/(\d+)", "/items/12")
    re.search("b$", "a/b")
    re.split("&", "a=b&c=1")
    re.findall(r"\d+", "1 22 333")
    pattern.pattern.encode()


def _text() -> None:
    html.unescape(html.escape("<a href='x'>&</a>"))
    textwrap.dedent(" a\n b")
    textwrap.fill("one two three " * 4, 20)
    string.Template("$a").substitute(a=1)
    "{0} {name:>5} {0!r}".format(1, name="x")
    "%s %d %5.2f" % ("a", 1, 2.5)
    f"{1.5:.2f} {'x'!r:>4} {10:#x} {1234567:,}"
    "a,b,c".split(",")
    " ".join(["a", "b"]).strip().replace("a", "b").upper().title()
    "\u00fc".encode().decode()
    "a b".partition(" ")


def _data() -> None:
    collections.Counter("abca").most_common(2)
    groups: dict[str, list[int]] = collections.defaultdict(list)
    groups["a"].append(1)
    collections.OrderedDict(a=1).move_to_end("a")
    queue = collections.deque([1, 2], maxlen=3)
    queue.appendleft(0)
    list(itertools.chain([1], [2]))
    list(itertools.groupby([1, 1, 2]))
    list(itertools.islice(itertools.count(), 3))
    functools.reduce(operator.add, [1, 2, 3])
    sorted({"b": 1, "a": 2}.items(), key=operator.itemgetter(0))
    heapq.nsmallest(1, [2, 1])
    copy.deepcopy({"a": [1, 2, {"b": (1, 2)}]})
    [number * 2 for number in range(5) if number % 2]
    {number: str(number) for number in range(5)}
    sum(number for number in range(5))
    list(zip([1, 2], "ab", strict=True))
    any(map(str.isdigit, "a1"))
    statistics.mean([1, 2])
    pickle.loads(pickle.dumps({"a": [1, 2]}))


def _classes() -> None:
    @dataclasses.dataclass(order=True)
    class Point:
        x: int
        y: int = 0

    class Colour(enum.Enum):
        RED = 1

    class Shape:
        def __init__(self, name: str) -> None:
            self.name = name

        @property
        def loud(self) -> str:
            return self.name.upper()

        def __eq__(self, other: object) -> bool:
            return isinstance(other, Shape) and other.name == self.name

        __hash__ = None  # type: ignore[assignment] # it can be compared only

    class Round(Shape):
        def __init__(self) -> None:
            super().__init__("round")

    assert Point(1) < Point(2)
    assert Colour(1) is Colour.RED
    assert Round().loud == "ROUND"
    assert Round() == Shape("round")
    dataclasses.asdict(Point(1))
    dataclasses.replace(Point(1), y=2)


def _numbers() -> None:
    str(decimal.Decimal("1.10") + decimal.Decimal(2).sqrt())
    str(fractions.Fraction(3, 2) * 2)
    str(2**100 // 3)
    round(2.675, 2)
    int("12")
    float("1.5")
    divmod(7, 3)


def _time() -> None:
    datetime.datetime.now(datetime.UTC).isoformat()
    datetime.datetime(2024, 1, 2, 3, 4, 5).strftime("%Y-%m-%d %H:%M")
    datetime.datetime.fromisoformat("2024-01-02T03:04:05+00:00")
    datetime.datetime.strptime("2024-01-02 03:04", "%Y-%m-%d %H:%M")
    datetime.timedelta(days=1) + datetime.date(2024, 1, 2)
    time.time()
    time.monotonic()
    time.perf_counter()
    time.strftime("%H", time.gmtime())


def _digests() -> None:
    hashlib.sha256(b"x").hexdigest()
    hashlib.md5(b"x", usedforsecurity=False).hexdigest()
    hashlib.blake2b(b"x", digest_size=8).digest()
    hmac.new(b"key", b"message", "sha256").hexdigest()
    hmac.compare_digest("a", "b")
    base64.urlsafe_b64decode(base64.urlsafe_b64encode(b"abc"))
    base64.b64decode(base64.b64encode(b"abc"))
    str(uuid.UUID(int=1))
    uuid.uuid5(uuid.NAMESPACE_DNS, "host")


def _draws() -> None:
    """Run the code that draws, with a generator of its own."""
    generator = random.Random(1)
    generator.random()
    generator.randrange(10)
    generator.randint(1, 6)
    generator.choice("ab")
    generator.choices("abc", k=2)
    generator.sample(range(100), 5)
    generator.shuffle([1, 2, 3])
    generator.uniform(1, 2)
    generator.gauss(0, 1)
    secrets.compare_digest("a", "b")


def _files() -> None:
    with tempfile.TemporaryDirectory() as directory:
        file = pathlib.Path(directory) / "a.txt"
        file.write_text("one\ntwo\n")
        file.read_text().splitlines()
        file.exists()
        os.listdir(directory)
        with open(file, "rb") as opened:
            opened.read()
        with open(file) as lines:
            list(lines)
    io.StringIO("a\nb").readlines()
    io.BytesIO(b"abc").read(2)


def _trees() -> None:
    ET.tostring(ET.fromstring("<a b='c'><d>x</d></a>"))
    parser = html.parser.HTMLParser()
    parser.feed("<p class=x>a &amp; b</p>")
    parser.close()


def _errors() -> None:
    groups: dict[str, int] = {}
    try:
        try:
            groups["missing"]
        except KeyError as error:
            raise ValueError("x") from error
    except ValueError as error:
        assert "ValueError: x" in report(error)


def _scopes() -> None:
    def counter() -> object:
        count = 0

        def add() -> int:
            nonlocal count
            count += 1
            return count

        return add

    def numbers() -> object:
        yield from (1, 2)

    counter()() if callable(counter()) else None  # type: ignore[operator] # it is
    list(numbers())  # type: ignore[call-overload] # it is a generator
    match {"a": 1}:
        case {"a": int(number)}:
            str(number)
        case _:
            pass
    types.SimpleNamespace(a=1)


class _Silent(logging.Handler):
    def emit(self, record: logging.LogRecord) -> None:
        self.format(record)


def _logs() -> None:
    logger = logging.Logger("warm")  # noqa: LOG001 - it must not stay
    handler = _Silent()
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    logger.info("a %s", "b")
    logging._handlers.pop(handler.name, None)  # type: ignore[attr-defined] # nothing stays behind
    print("a", 1, file=_Nowhere(1, 1, ""))


class _Nowhere(Stream):
    """A stream whose lines are not wanted."""

    def write(self, text: str) -> int:
        return len(text)


_STEPS = (
    *(_json, _urls, _patterns, _text, _data, _classes, _numbers, _time, _digests, _draws, _files, _trees, _errors),
    *(_scopes, _logs),
)


def _forget() -> None:
    """Take back what the steps have left in caches that a program can see."""
    re.purge()
    ET.register_namespace("warm", "warm")
    ET._namespace_map.pop("warm", None)  # type: ignore[attr-defined] # taken back
    tempfile.tempdir = None
    fresh.renew()
