"""The terms of a sum, from /?n=10: Python that is compiled ahead of time."""

LARGEST = 1000000


def number(query, name, default):
    for part in query.split("&"):
        key, _, value = part.partition("=")
        if key == name and value.isdigit():
            return int(value)
    return default


def on_client_request(query):
    n = number(query, "n", 10)
    if n > LARGEST:
        return 400, {"error": "n is at most " + str(LARGEST)}
    total = 0.0
    for k in range(n):
        total += (1.0 - 2.0 * (k % 2)) / (2 * k + 1)
    return 200, {"pi": str(4.0 * total)}
