"""match"""
from dataclasses import dataclass
@dataclass
class P:
    x: int
    y: int
def f(v):
    match v:
        case 0: return "zero"
        case 1 | 2: return "small"
        case int(n) if n > 100: return f"big {n}"
        case [a]: return f"one {a}"
        case [a, *rest]: return f"list {a} {rest}"
        case {"k": k, **more}: return f"map {k} {more}"
        case P(x=0, y=y): return f"on axis {y}"
        case P(x, y): return f"point {x} {y}"
        case str() as s: return f"text {s}"
        case None | True: return "const"
        case _: return "other"
def on_client_request():
    return repr([f(v) for v in (0, 2, 101, [7], (1, 2, 3), {"k": 1, "z": 2}, P(0, 5), P(1, 2), "hi", None, 3.5)])

# GET /
