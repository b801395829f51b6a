"""annotations are evaluated when asked for (3.14)"""
import annotationlib
class Node:
    next: Node | None
def f(x: Undefined): ...
def on_client_request():
    return repr([Node.__annotations__["next"], annotationlib.get_annotations(f, format=annotationlib.Format.STRING)])

# expect: [app.Node | None, {'x': 'Undefined'}]
# GET /
