"""Thirty routes; the one that is asked for is among the last."""

import re

KINDS = ("users", "orders", "items", "shops", "carts", "bills", "parts", "notes", "files", "teams")
ROUTES = [
    (re.compile(rf"/{kind}/(?P<id>\d+){rest}"), kind + rest)
    for kind in KINDS
    for rest in ("", "/edit", r"/lines/(?P<line>\d+)")
]


def on_client_request(path):
    for pattern, name in ROUTES:
        if found := pattern.fullmatch(path):
            return "text/plain", f"{name} {found.groupdict()}"
    return 404, "nothing here"
