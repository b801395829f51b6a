"""template strings (3.14)"""
from string.templatelib import Template, Interpolation
def on_client_request():
    name = "<b>"
    t = t"hello {name!r:>8} {1 + 1}"
    out = "".join(p if isinstance(p, str) else p.expression + "=" + str(p.value) for p in t)
    return repr([type(t) is Template, t.strings, t.interpolations[0].conversion, t.interpolations[0].format_spec, t.values, out])

# expect: [True, ('hello ', ' ', ''), 'r', '>8', ('<b>', 2), 'hello name=<b> 1 + 1=2']
# GET /
