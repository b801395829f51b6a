"""Two regular expressions: one finds, one replaces."""

import re

PAIR = re.compile(r"(?P<key>\w+)=(?P<value>[^&]*)")


def on_client_request(path, query):
    pairs = [found.groupdict() for found in PAIR.finditer(query or "x=1&y=two")]
    return "text/plain", re.sub(r"[/ ]+", "-", path) + str(pairs)
