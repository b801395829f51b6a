"""the environment"""
import os
def on_client_request():
    os.environ["K"] = "v"; os.environ.setdefault("L", "w")
    out = [os.getenv("K"), os.environ.get("NO_SUCH", "d"), "K" in os.environ, os.path.expandvars("$K/${L}")]
    del os.environ["K"]
    try: os.environ["K"]
    except KeyError as e: out.append(e.args)
    try: os.environ["x"] = 1
    except TypeError as e: out.append("TypeError")
    return repr(out)

# GET /
# GET /
