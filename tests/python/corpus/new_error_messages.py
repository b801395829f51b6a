"""messages that suggest (3.12 to 3.14)"""
import traceback
def on_client_request():
    import collections
    out = []
    for f in (lambda: collections.namedtoplo, lambda: sys.path):
        try: f()
        except (AttributeError, NameError) as e: out.append(type(e).__name__)
    try: compile("whille True: pass", "x", "exec")
    except SyntaxError as e: out.append(traceback.format_exception_only(e)[-1].strip())
    return repr(out)

# expect: ['AttributeError', 'NameError', "SyntaxError: invalid syntax. Did you mean 'while'?"]
# GET /
