"""Numbers as JSON: /fib?n=10, /primes?below=50, /stats?values=3,1,2.5"""

import math

LARGEST = 1000


def on_init():
    print("numbers from", "0 to", LARGEST)


def arguments(query):
    """Parse a query string; the last of equal names counts."""
    found = {}
    for part in query.split("&"):
        name, _, value = part.partition("=")
        found[name] = value
    return found


def fibonacci(n):
    a, b = 0, 1
    for _ in range(n):
        a, b = b, a + b
    return a


def primes(below):
    composite = [False] * max(below, 2)
    found = []
    for n in range(2, below):
        if composite[n]:
            continue
        found.append(n)
        for multiple in range(n * n, below, n):
            composite[multiple] = True
    return found


def median(values):
    ordered = sorted(values)
    middle = len(ordered) // 2
    if len(ordered) % 2:
        return ordered[middle]
    return (ordered[middle - 1] + ordered[middle]) / 2


def statistics(values):
    mean = sum(values) / len(values)
    variance = sum([(value - mean) ** 2 for value in values]) / len(values)
    return {"count": float(len(values)), "mean": mean, "median": median(values), "deviation": math.sqrt(variance)}


def bounded(text):
    """Read a number of the query; what is too large is refused by its name."""
    n = int(text)
    if n < 0 or n > LARGEST:
        raise ValueError(f"not from 0 to {LARGEST}: {n}")
    return n


def on_client_request(path, query):
    given = arguments(query)
    try:
        if path == "/fib":
            return {"fib": fibonacci(bounded(given.get("n", "10")))}
        if path == "/primes":
            return {"primes": primes(bounded(given.get("below", "50")))}
        if path == "/stats":
            return statistics([float(value) for value in given["values"].split(",")])
    except (ValueError, OverflowError) as error:
        return 400, {"error": str(error)}
    except KeyError as error:
        return 400, {"error": "missing: " + str(error)}
    return 404, {"error": "try /fib?n=10, /primes?below=50 or /stats?values=3,1,2.5"}
