"""typing.override and TypeIs (3.12, 3.13)"""
from typing import override, TypeIs, ReadOnly, TypedDict
class A:
    def f(self): return 1
class B(A):
    @override
    def f(self): return 2
class T(TypedDict):
    x: ReadOnly[int]
def on_client_request():
    return repr([B().f(), B.f.__override__, T(x=1)])

# expect: [2, True, {'x': 1}]
# GET /
