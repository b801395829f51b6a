"""annotations and typing"""
import typing
from typing import Generic, TypeVar, NamedTuple, TypedDict, Protocol, Literal, get_type_hints
T = TypeVar("T")
class Box(Generic[T]):
    def __init__(self, v: T): self.v = v
class N(NamedTuple):
    a: int
    b: str = "x"
class TD(TypedDict, total=False):
    k: int
@typing.runtime_checkable
class HasLen(Protocol):
    def __len__(self) -> int: ...
def f(x: int | None, y: "list[str]" = []) -> Literal["a"]: ...
def on_client_request():
    return repr([Box[int](3).v, N(1), N(1)._asdict(), TD(k=1), isinstance([], HasLen), get_type_hints(f), int | None, list[int], typing.get_args(dict[str, int])])

# GET /
