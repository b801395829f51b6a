"""A JSON text made and read again."""

import json


def on_client_request(path, query):
    data = {"path": path, "query": query, "n": [1, 2.5, None, True], "nest": {"k": "ü"}}
    text = json.dumps(data, sort_keys=True)
    assert json.loads(text) == data
    return "application/json", text
