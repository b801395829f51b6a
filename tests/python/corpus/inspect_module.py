"""programs that look at themselves"""
import inspect
class C:
    "A class."
    def m(self, a, *, b: int = 2) -> str:
        """Say
           something."""
        return "x"
def gen(): yield
def on_client_request():
    s = inspect.signature(C.m)
    return repr([str(s), list(s.parameters), inspect.getdoc(C.m), inspect.isgeneratorfunction(gen), inspect.getmembers(C, inspect.isfunction)[0][0], s.bind(1, 2, b=3).arguments, inspect.getsource(gen), inspect.currentframe().f_code.co_name, inspect.getsourcelines(C)[1]])

# GET /
