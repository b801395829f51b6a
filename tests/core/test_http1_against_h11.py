"""The HTTP/1.1 machine beside h11, an independent parser, on generated and damaged messages.

Both read the same octets. Where they judge a request differently, the request must show a feature for which the machine
is stricter, or laxer, on purpose; a difference without such a reason is a fault of one of them. `OPTIONS *` is not
among the messages: the machine answers it itself, so it is not seen to take it.
"""

import os
import random
import re
import shutil
import struct
import subprocess
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import h11
import pytest

REPOSITORY = Path(__file__).parents[2]
COUNT = int(os.environ.get("DAYFLY_MESSAGES", "4000"))
"""Messages a run; about a second."""

CONTENT_BYTES_MAX = 1 << 20
CHUNK_DIGITS_MAX = 16
HOST = rb"(\[::1\]|([\w.~!$&'()*+;=-]|%[0-9a-fA-F]{2})+)(:\d*)?"
"""What the machine takes as a host, as far as the messages go."""

Taken = tuple[str, str, str]
"""Method, path with query, content in hexadecimal digits."""


@dataclass(frozen=True)
class Verdict:
    """What a parser makes of a stream: the requests it took, and whether it refused what came after them."""

    taken: list[Taken]
    refused: bool


class Messages:
    """Random streams: mostly good requests, each part of them sometimes bad, the whole sometimes damaged."""

    METHODS = (
        *[b"GET"] * 40,
        *[b"POST"] * 40,
        *b"HEAD PUT DELETE PATCH OPTIONS TRACE CONNECT BREW get G@T".split(),
        b"",
    )
    TARGETS = (
        *[b"/"] * 60,
        *[b"/a/b?c=d&e", b"http://h/x", b"*", b"h:80", b"x", b"/a#b", b"/\xc3\xa9", b"/a b"],
        *[b"/%41%zz", b"/" + b"t" * 300],
    )
    VERSIONS = (
        *[b"HTTP/1.1"] * 80,
        *[b"HTTP/1.0", b"HTTP/1.0", b"HTTP/1.2", b"HTTP/2.0", b"http/1.1", b"HTTP/1.1 ", b"HTTP/11"],
    )
    HOSTS = (
        *[[b"Host: h"]] * 80,
        *[[b"Host: h:80"], [b"HOST:h"], [], [b"Host: h", b"Host: h"], [b"Host: a, b"]],
        *[[b"Host: u@h"], [b"Host: "], [b"Host: [::1]:8"]],
    )
    GOOD_FIELDS = (b"X: y", b"Accept: */*", b"X:", b"X:  y\t", b"X: a\tb", b"X: \xff", b"Cookie: a=b; c=d")
    FIELDS = (
        *GOOD_FIELDS,
        *[b"X : y", b" X: y", b"X", b": y", b"X: a\x00b", b"X: a\x7fb", b"X: a\x01b", b"X(: y", b"X: a\r\n b"],
        *[b"Connection: close", b"Connection: keep-alive", b"Upgrade: h2c", b"Expect: 100-continue", b"Expect: x"],
    )
    LENGTHS = (
        *[b"Content-Length: %d"] * 60,
        *[b"Content-Length: +%d", b"Content-Length: %d, %d", b"Content-Length: 0%d", b"Content-Length: %dx"],
        *[b"Content-Length: %d\r\nContent-Length: %d", b"Content-Length: -%d", b"Content-Length:"],
        *[b"Content-Length: 99999999999999999999%d", b"Content-Length: 0x%d", b"Content-Length : %d"],
    )
    CODINGS = (
        *[b"chunked"] * 60,
        *[b"Chunked", b"chunked, chunked", b"gzip, chunked", b"chunked, gzip", b"identity", b"", b"xchunked"],
        *[b"\x0bchunked", b"chunked;q=1"],
    )
    EXTENSIONS = (
        *[b""] * 60,
        *[b";a", b";a=b", b';a="b;c"', b" ", b";", b";a=", b" ; a = b", b";a\nb", b";" + b"e" * 300],
    )
    SIZES = (b"", b"0x3", b"-1", b"g", b"ffffffffffffffff", b"+3", b"1" * 17)
    ENDS = (*[b"\r\n"] * 300, b"\n", b"\r", b"\r\r\n", b"")
    TRAILERS = (b"T: v", b"T : v", b"T", b"U: \x00", b"Content-Length: 3", b"X:")

    def __init__(self, seed: int) -> None:
        self.random = random.Random(seed)

    def stream(self) -> bytes:
        """Return up to three requests in a row."""
        draw = self.random
        stream = b"".join(self.request() for _ in range(draw.choice([1, 1, 1, 2, 3])))
        if draw.random() < 0.03:
            stream = b"\r\n" + stream
        return self.damaged(stream) if draw.random() < 0.15 else stream

    def damaged(self, stream: bytes) -> bytes:
        """Return the stream with one octet removed, replaced or added, or its end cut off."""
        draw = self.random
        place = draw.randrange(len(stream))
        before, octet, after = stream[:place], stream[place : place + 1], stream[place + 1 :]
        added = bytes([draw.choice(b"\r\n\t :;,\x00/")])
        return draw.choice(
            [before + after, before + bytes([draw.randrange(256)]) + after, before + added + octet + after, before]
        )

    def request(self) -> bytes:
        """Return one request."""
        draw = self.random
        line = b" ".join(draw.choice(part) for part in (self.METHODS, self.TARGETS, self.VERSIONS))
        line = line.replace(b"OPTIONS *", b"OPTIONS /")
        if draw.random() < 0.02:
            line = draw.choice([b"GET /", b"GET  / HTTP/1.1", b"", b"GET\t/ HTTP/1.1", b"/ HTTP/1.1"])
        fields = list(draw.choice(self.HOSTS))
        fields.extend(
            draw.choice(self.FIELDS if draw.random() < 0.1 else self.GOOD_FIELDS)
            for _ in range(draw.choice([0, 0, 1, 2, 5]))
        )
        content, kind = b"", draw.random()
        if kind < 0.3:
            content = bytes(draw.choices(b"xyz\r\n", k=draw.choice([0, 1, 5, 30])))
            fields.append(draw.choice(self.LENGTHS).replace(b"%d", b"%d" % len(content)))
        if 0.29 < kind < 0.6:
            content = self.chunked()
            fields.append(b"Transfer-Encoding: " + draw.choice(self.CODINGS))
        draw.shuffle(fields)
        ends = self.ENDS[:300] if draw.random() < 0.9 else self.ENDS
        return b"".join(part + draw.choice(ends) for part in [line, *fields]) + b"\r\n" + content

    def chunked(self) -> bytes:
        """Return content in the chunked coding."""
        draw = self.random
        out = b""
        for _ in range(draw.randrange(4)):
            data = bytes(draw.choices(b"abc\r\n0;", k=draw.choice([1, 3, 9, 17, 40])))
            size = draw.choice([b"%x", b"%X", b"00%x"]) % len(data)
            if draw.random() < 0.03:
                size = draw.choice([*self.SIZES, b"%x" % (len(data) + 1)])
            out += size + draw.choice(self.EXTENSIONS) + draw.choice(self.ENDS) + data + draw.choice(self.ENDS)
        if draw.random() < 0.95:
            out += draw.choice([b"0", b"000"]) + draw.choice(self.EXTENSIONS) + draw.choice(self.ENDS)
        for _ in range(draw.choice([0] * 12 + [1, 2])):
            out += draw.choice(self.TRAILERS) + draw.choice(self.ENDS)
        return out + draw.choice(self.ENDS)


def verdicts_of_the_machine(streams: list[bytes]) -> list[Verdict]:
    """Ask the machine itself, through its example program."""
    command = ["cargo", "run", "--quiet", "--release", "--package", "dayfly-http1", "--example", "verdict"]
    framed = b"".join(struct.pack("<I", len(stream)) + stream for stream in streams)
    done = subprocess.run(command, cwd=REPOSITORY, input=framed, stdout=subprocess.PIPE, check=True)
    verdicts = []
    for line in done.stdout.decode("ascii").splitlines():
        *taken, rule = line.split("\t")
        verdicts.append(Verdict([(a, b, c) for a, b, c in (request.split(" ") for request in taken)], rule != "-"))
    return verdicts


def verdict_of_h11(stream: bytes) -> tuple[Verdict, list[int]]:
    """Ask h11; also where each request begins."""
    connection = h11.Connection(h11.SERVER, max_incomplete_event_size=1 << 16)
    connection.receive_data(stream)
    taken: list[Taken] = []
    starts = [0]
    method, target, content = "", "", b""
    try:
        while True:
            event = connection.next_event()
            if isinstance(event, h11.Request):
                method, target, content = event.method.decode(), event.target.decode("latin1"), b""
            elif isinstance(event, h11.Data):
                content += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                taken.append((method, path_of(target), content.hex()))
                status = 400 if method == "CONNECT" else 200
                connection.send(h11.Response(status_code=status, headers=[("content-length", "0")]))
                connection.send(h11.EndOfMessage())
                if connection.our_state is not h11.DONE or connection.their_state is not h11.DONE:
                    return Verdict(taken, refused=False), starts
                connection.start_next_cycle()
                starts.append(len(stream) - len(connection.trailing_data[0]))
            else:
                return Verdict(taken, refused=False), starts
    except h11.RemoteProtocolError:
        return Verdict(taken, refused=True), starts


def path_of(target: str) -> str:
    """Return path and query of a target in any form."""
    absolute = re.fullmatch(r"https?://[^/?]+(.*)", target, re.IGNORECASE | re.DOTALL)
    return (absolute[1] or "/") if absolute else target


class Look:
    """The octets of a request that is judged differently, and the reasons they show."""

    def __init__(self, octets: bytes) -> None:
        self.octets = octets
        self.head, _, self.content = octets.partition(b"\r\n\r\n")
        line, _, self.fields = self.head.partition(b"\r\n")
        self.parts = line.split(b" ")
        self.length = self.field(rb"content-length")
        self.coding = self.field(rb"transfer-encoding")

    def field(self, name: bytes) -> list[bytes]:
        """Return all values of a field."""
        return [value.strip(b" \t") for value in re.findall(rb"(?im)^%s[ \t]*:([^\r\n]*)" % name, self.fields)]

    def reasons(self) -> Iterator[str]:
        """Yield each reason for a different verdict; those where the machine takes more than h11 begin with `laxer`."""
        yield from self.reasons_in_lines()
        yield from self.reasons_in_request_line()
        yield from self.reasons_in_framing()
        if self.coding:
            yield from self.reasons_in_chunks()

    def reasons_in_lines(self) -> Iterator[str]:
        """RFC 9112 sections 2.2 and 5."""
        framed = self.octets if self.coding else self.head
        if self.octets.startswith(b"\r\n") or self.octets == b"\r":
            yield "laxer: one empty line before a request is skipped, RFC 9112 section 2.2"
        if re.search(rb"(?<!\r)\n", framed):
            yield "a bare LF is refused"
        if re.search(rb"\r(?!\n)", framed):
            yield "a bare CR is refused"
        if re.search(rb"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]", framed):
            yield "control octets in values are refused"
        if re.search(rb"\n[ \t]", self.head):
            yield "folded lines are refused"

    def reasons_in_request_line(self) -> Iterator[str]:
        """RFC 9112 section 3."""
        if self.parts[0] not in b"GET HEAD POST PUT PATCH DELETE OPTIONS".split():
            yield "unknown methods are refused: 501, 405"
        if len(self.parts) == 3 and not re.fullmatch(
            rb"/[^#\"<>\x7f-\xff]*|https?://" + HOST + rb"([/?][^#\"<>\x7f-\xff]*)?", self.parts[1]
        ):
            yield "form and octets of the target are checked"
        if self.parts[-1] not in {b"HTTP/1.0", b"HTTP/1.1"}:
            yield "another major version is refused: 505"
            yield "laxer: a higher minor version is read as 1.1, RFC 9110 section 2.5"
        if any(not re.fullmatch(HOST, host) for host in self.field(rb"host")):
            yield "Host is a host and a port"
        if any(value.lower() != b"100-continue" for value in self.field(rb"expect")):
            yield "unknown expectations are refused: 417"

    def reasons_in_framing(self) -> Iterator[str]:
        """RFC 9112 sections 6 and 9.3."""
        if self.length and self.coding:
            yield "Content-Length with Transfer-Encoding is refused"
        if len(self.length) > 1 or any(b"," in value for value in self.length):
            yield "Content-Length stands once"
        if any(value.isdigit() and int(value) > CONTENT_BYTES_MAX for value in self.length):
            yield "content has a limit: 413"
        if self.parts[-1] == b"HTTP/1.0" and self.coding:
            yield "Transfer-Encoding in HTTP/1.0 is refused"
        if self.parts[-1] == b"HTTP/1.0" and re.search(rb"(?im)^connection:[^\r]*keep-alive", self.fields):
            yield "laxer: HTTP/1.0 is kept alive when it asks, RFC 9112 section 9.3"
            yield "what follows HTTP/1.0 that asked to be kept alive is judged too"

    def reasons_in_chunks(self) -> Iterator[str]:
        """RFC 9112 section 7.1."""
        if re.search(rb"(?m)^[0-9a-fA-F]+[ \t]+;", self.content):
            yield "laxer: white space before a chunk extension, RFC 9112 section 7.1.1"
        if re.search(rb"(?m)^[0-9a-fA-F]+[ \t;][^\r\n]*", self.content):
            yield "chunk extensions have their grammar and length"
        if re.search(rb"(?m)^[0-9a-fA-F]{%d,}" % (CHUNK_DIGITS_MAX + 1), self.content):
            yield "a chunk size has at most 16 digits"
        if re.search(rb"(?m)^[0-9a-fA-F]{6,}", self.content):
            yield "content has a limit: 413"
        if re.search(rb"(?im)^(content-length|host|transfer-encoding|trailer):", self.content):
            yield "framing fields in trailers are refused"


def reasons_for(stream: bytes, starts: list[int], ours: Verdict, theirs: Verdict) -> set[str]:
    """Return the reasons that the first request judged differently shows, on the side that differs."""
    same = 0
    while same < min(len(ours.taken), len(theirs.taken)) and ours.taken[same] == theirs.taken[same]:
        same += 1
    look = Look(stream[starts[min(same, len(starts) - 1)] :])
    laxer = (len(ours.taken), not ours.refused) > (len(theirs.taken), not theirs.refused)
    return {reason for reason in look.reasons() if reason.startswith("laxer") == laxer}


@pytest.mark.skipif(shutil.which("cargo") is None and "CI" not in os.environ, reason="needs cargo")
def test_every_difference_from_h11_has_a_reason() -> None:
    """The same requests taken, the same streams refused, except on purpose."""
    seed = int(os.environ.get("DAYFLY_SEED") or random.SystemRandom().randrange(1 << 32))
    print(f"DAYFLY_SEED={seed}")
    messages = Messages(seed)
    streams = [messages.stream() for _ in range(COUNT)]
    tally: Counter[str] = Counter()
    unexplained = []
    for stream, ours in zip(streams, verdicts_of_the_machine(streams), strict=True):
        theirs, starts = verdict_of_h11(stream)
        if ours == theirs:
            tally["same"] += 1
        elif reasons := reasons_for(stream, starts, ours, theirs):
            tally.update(reasons)
        else:
            unexplained.append((stream, ours, theirs))
    for reason, count in tally.most_common():
        print(f"{count:6} {reason}")
    assert unexplained == []
    assert tally["same"] > COUNT // 2
