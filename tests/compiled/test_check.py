"""What is refused by reading: place, reason, and what to do."""

import pytest

from dayfly.toolchain.compiled import Refused
from dayfly.toolchain.compiled.check import Handler, check

HANDLER = "def on_client_request():\n    return 'x'\n"


def refused(source: str) -> str:
    """Return the message."""
    with pytest.raises(Refused) as refusal:
        check(source.encode())
    return str(refusal.value)


def test_the_handler_says_what_it_takes() -> None:
    """In its own order."""
    source = "def on_init():\n    pass\ndef on_client_request(body, path):\n    return path\n"
    assert check(source.encode()) == Handler(("body", "path"), has_init=True)
    assert check(HANDLER.encode()) == Handler((), has_init=False)


def test_all_reasons_are_given_at_once_in_the_order_of_lines() -> None:
    """So that nobody mends them one build at a time."""
    message = refused("import json\nclass A:\n    pass\n" + HANDLER)
    assert [line.split(":")[1] for line in message.splitlines()] == ["1", "2"]


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("", "app.py: the file is empty; define `on_client_request`"),
        ("def f(:\n", "app.py:1:7: syntax error: invalid syntax"),
        ("x = 1\n", "app.py: there is no function `on_client_request`; define it at the top level"),
        (
            "def on_client_request(env):\n    return 'x'\n",
            "app.py:1:23: `on_client_request` cannot take `env`; on this",
        ),
        ("def on_client_request(path='/'):\n    return path\n", "app.py:1:28: `on_client_request` is always given"),
        ("def on_client_request():\n    print('x')\n", "app.py:1:1: `on_client_request` returns nothing"),
        ("def on_client_request():\n    yield 'x'\n    return 'x'\n", "app.py:1:1: `on_client_request` cannot be a"),
        ("def on_init(x):\n    pass\n" + HANDLER, "app.py:1:13: `on_init` takes no parameters"),
        ("print('x')\n" + HANDLER, "app.py:1:1: only functions, imports and constants can stand at the top level"),
        ("import os\n" + HANDLER, "app.py:1:1: module `os` is not part of the compiled tier"),
        ("from . import x\n" + HANDLER, "app.py:1:1: this form of import"),
        ("from math import *\n" + HANDLER, "app.py:1:1: this form of import"),
        ("async def f():\n    pass\n" + HANDLER, "app.py:1:1: an async function"),
        ("def f(*, a):\n    pass\n" + HANDLER, "app.py:1:10: keyword-only parameters"),
        ("def f(a, /):\n    pass\n" + HANDLER, "app.py:1:7: positional-only parameters"),
        ("def f(**k):\n    pass\n" + HANDLER, "app.py:1:9: `**kwargs`"),
        ("def f(x):\n    global y\n" + HANDLER, "app.py:2:5: `global`"),
        ("def f(x):\n    if (n := x):\n        return n\n" + HANDLER, "app.py:2:9: `:=`"),
        ("def f(x):\n    a, *b = x\n" + HANDLER, "app.py:2:8: a starred expression"),
        ("def f(x):\n    return g(**x)\n" + HANDLER, "app.py:2:14: `**` in a call"),
        ("def f(x):\n    return {**x}\n" + HANDLER, "app.py:2:12: `**` in a dict"),
        ("def f(x):\n    print(x, file=x)\n" + HANDLER, "app.py:2:14: `print` takes no `file`"),
        ("def f(x):\n    return x.format(1)\n" + HANDLER, "app.py:2:12: str.format is supported"),
        ("def f(x):\n    return '{a.b}'.format(a=x)\n" + HANDLER, "app.py:2:12: attributes and indexes in str.format"),
        ("def f(x):\n    return '%(a)s' % x\n" + HANDLER, "app.py:2:12: `%(name)s`"),
        ("def f(x):\n    ...\n" + HANDLER, "app.py:2:5: `...`"),
        (
            "def f(x):\n    return eval(x)\n" + HANDLER,
            "app.py:2:12: `eval` is not supported by the compiled tier: code",
        ),
        ("D = {}\ndef f(x):\n    D.update(x)\n" + HANDLER, "app.py:3:5: module global `D` cannot change"),
        ("D = {}\ndef f(x):\n    del D[x]\n" + HANDLER, "app.py:3:9: module global `D` cannot change"),
        ("def on_client_request(path):\n    return path + 1\n", "app.py:2:12: a str and a number cannot be added"),
        ("def on_client_request(path):\n    return 'a' + len(path)\n", "app.py:2:12: a str and a number"),
        ("def f(x):\n    return str(x) < 3\n" + HANDLER, "app.py:2:12: a str and a number are never equal"),
    ],
)
def test_a_refusal_names_place_and_reason(source: str, message: str) -> None:
    """In Python terms, on one line."""
    assert refused(source).startswith(message)


@pytest.mark.parametrize(
    "source",
    [
        '"""A program."""\nimport math\nfrom random import randint\nX: int = 3\npass\n' + HANDLER,
        "D = {}\ndef f(x):\n    D = {}\n    D[x] = 1\n    return D\n" + HANDLER,
        "def f(x):\n    for i in x:\n        try:\n            break\n        except ValueError:\n            pass\n"
        + HANDLER,
        "def on_client_request(path):\n    path = len(path)\n    return str(path + 1)\n",
        "def on_client_request(path):\n    return path + str(1) + 'a' * 3\n",
    ],
)
def test_what_is_sound_is_not_refused(source: str) -> None:
    """Names of a function's own, places where control does not leave, numbers under a parameter's name."""
    check(source.encode())


def test_what_is_no_text_is_refused() -> None:
    """Octets that no decoder accepts, and a null."""
    with pytest.raises(Refused, match=r"^app.py"):
        check(b"x = '\xff'\n")
    with pytest.raises(Refused, match=r"^app.py"):
        check(b"x = '\0'\n")
