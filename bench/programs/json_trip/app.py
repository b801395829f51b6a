"""A JSON text made and read again."""

import json


def on_client_request(path, query):
    text = json.dumps({"path": path, "query": query, "numbers": list(range(20))})
    return "application/json", json.dumps(json.loads(text)["numbers"])
