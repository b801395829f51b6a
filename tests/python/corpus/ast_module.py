"""syntax trees"""
import ast
class T(ast.NodeTransformer):
    def visit_Constant(self, n): return ast.copy_location(ast.Constant(n.value * 2), n)
def on_client_request():
    t = ast.parse("x = 1 + 2")
    e = ast.fix_missing_locations(T().visit(ast.parse("3 + 4", mode="eval")))
    return repr([ast.unparse(t), ast.dump(t.body[0].value), eval(compile(e, "", "eval")), ast.literal_eval("{'a': (1, None)}"), [type(n).__name__ for n in ast.walk(ast.parse("f(x)"))][:4]])

# GET /
