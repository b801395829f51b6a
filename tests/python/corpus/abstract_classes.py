"""abstract classes"""
import abc
class Shape(abc.ABC):
    @abc.abstractmethod
    def area(self): ...
class Sq(Shape):
    def area(self): return 4
def on_client_request():
    try: Shape()
    except TypeError as e: out = "abstract" in str(e)
    import collections.abc as c
    return repr([out, Sq().area(), isinstance([], c.Sequence), issubclass(dict, c.Mapping), isinstance(iter([]), c.Iterator)])

# GET /
