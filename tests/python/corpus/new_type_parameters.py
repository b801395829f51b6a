"""type parameters (3.12)"""
class Stack[T]:
    def __init__(self) -> None: self.items: list[T] = []
    def push(self, x: T) -> None: self.items.append(x)
def first[T: (int, str)](xs: list[T]) -> T: return xs[0]
type Pair[A] = tuple[A, A]
def on_client_request():
    s = Stack[int](); s.push(1)
    return repr([s.items, first([3]), Pair.__value__, Pair.__type_params__, Stack.__type_params__, first.__type_params__[0].__constraints__])

# expect: [[1], 3, tuple[A, A], (A,), (T,), (<class 'int'>, <class 'str'>)]
# GET /
