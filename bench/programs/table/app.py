"""A table of a hundred rows."""

from html import escape

ROWS = [(n, f"customer & son {n}", n * 17 % 101, n / 7) for n in range(100)]


def on_client_request():
    rows = "".join(
        f"<tr><td>{number}</td><td>{escape(name)}</td><td>{count}</td><td>{share:.3f}</td></tr>\n"
        for number, name, count, share in ROWS
    )
    return "text/html; charset=utf-8", f"<table>\n{rows}</table>\n"
