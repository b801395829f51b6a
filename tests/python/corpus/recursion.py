"""recursion"""
import functools, sys
@functools.lru_cache(maxsize=None)
def fib(n): return n if n < 2 else fib(n - 1) + fib(n - 2)
def depth(n): return 0 if n == 0 else 1 + depth(n - 1)
def ack(m, n): return n + 1 if m == 0 else ack(m - 1, 1) if n == 0 else ack(m - 1, ack(m, n - 1))
def on_client_request():
    return f"{fib(90)} {depth(800)} {ack(2, 3)} {fib.cache_info().hits}"

# GET /
