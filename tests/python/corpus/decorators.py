"""decorators"""
import functools
def twice(f):
    @functools.wraps(f)
    def inner(*args):
        return f(f(*args))
    return inner
def times(n):
    return lambda f: lambda x: f(x) * n
@twice
@times(3)
def inc(x):
    "adds"
    return x + 1
def on_client_request():
    return f"{inc(1)} {inc.__name__}"

# GET /
