"""Character sets that a client may name: those that texts are sent in.

Python has many more codecs. Some are no character sets, some take more than linear time, and looking any of them up by
name imports a module of that name: a client chooses among these only.
"""

_NAMES = (
    *("utf-8", "utf8", "us-ascii", "ascii", "latin-1", "latin1"),
    *("utf-16", "utf-16le", "utf-16be", "utf-16-le", "utf-16-be"),
    *("utf-32", "utf-32le", "utf-32be", "utf-32-le", "utf-32-be"),
    *(f"windows-{number}" for number in range(1250, 1259)),
    *(f"cp{number}" for number in range(1250, 1259)),
    *(f"iso{hyphen}8859-{number}" for number in range(1, 17) if number != 12 for hyphen in ("", "-")),  # noqa: PLR2004 - never made
    *("koi8-r", "koi8-u", "big5", "euc-jp", "euc-kr", "gb2312", "gbk", "gb18030", "shift-jis", "sjis"),
)

CHARSETS = frozenset(_NAMES)
"""In lower case, with hyphens; Python knows each by this name."""


def codec_of(charset: str) -> str | None:
    """Return the name of the codec for what a client calls a character set; None if it is none of these."""
    name = charset.strip().lower().replace("_", "-")
    return name if name in CHARSETS else None
