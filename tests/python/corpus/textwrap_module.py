"""wrapping text"""
import textwrap, pprint, shlex
def on_client_request():
    t = "The quick brown fox jumps over the lazy dog. " * 2
    return "\n".join([textwrap.fill(t, 30), textwrap.shorten(t, 20), textwrap.indent("a\nb", "> "), textwrap.dedent("  x\n    y"), pprint.pformat({"a": list(range(30)), "b": {"c": "d" * 30}}, width=40), repr(shlex.split("a 'b c' \"d\\\"e\"")), shlex.quote("it's")])

# GET /
