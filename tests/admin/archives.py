"""Archives as attackers write them, octet by octet: no library has a say in what they hold."""

from collections.abc import Iterable


def header(
    name: str | bytes,
    size: int = 0,
    kind: bytes = b"0",
    *,
    link: bytes = b"",
    magic: bytes = b"ustar\x0000",
    prefix: bytes = b"",
    mtime: bytes = b"00000000000",
    octal_size: bytes | None = None,
) -> bytes:
    """Write a header block with its checksum."""
    octets = name.encode() if isinstance(name, str) else name
    block = bytearray(512)
    block[0:100] = octets.ljust(100, b"\0")[:100]
    block[100:124] = b"0000644\x000000000\x000000000\0"
    block[124:136] = (b"%011o\0" % size if octal_size is None else octal_size).ljust(12, b"\0")
    block[136:148] = mtime.ljust(12, b"\0")
    block[148:156] = b" " * 8
    block[156:157] = kind
    block[157:257] = link.ljust(100, b"\0")
    block[257:265] = magic
    block[345:500] = prefix.ljust(155, b"\0")
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def padded(content: bytes) -> bytes:
    """Fill up to whole blocks."""
    return content + bytes(-len(content) % 512)


def entry(name: str | bytes, content: bytes = b"", kind: bytes = b"0", **fields: bytes) -> bytes:
    """Write an entry."""
    return header(name, len(content), kind, **fields) + padded(content)


def extended(records: Iterable[tuple[str, bytes]], kind: bytes = b"x") -> bytes:
    """Write an extended header of POSIX.1-2001."""
    return entry("././@PaxHeader", b"".join(record(key, value) for key, value in records), kind)


def record(key: str, value: bytes) -> bytes:
    """Write one line of it, whose length counts itself."""
    rest = b" " + key.encode() + b"=" + value + b"\n"
    length = len(rest)
    while len(b"%d" % length) + len(rest) != length:
        length = len(b"%d" % length) + len(rest)
    return b"%d" % length + rest


END = bytes(1024)
APP = entry("app.py", b"def on_client_request(path, query):\n    return 'text/plain', path\n")
