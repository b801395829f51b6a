"""A JSON object in, the same object out."""

import json


def on_client_request(body):
    return "application/json", json.dumps(json.loads(body))
