"""importing"""
import importlib, sys, types, pkgutil
import email.mime.text as emt
from os import path as p, sep
def on_client_request():
    m = importlib.import_module("json.decoder")
    out = [m.JSONDecoder.__name__, p.join("a", "b"), "json" in sys.modules, emt.MIMEText.__module__, importlib.util.find_spec("no_such") is None, importlib.reload(types) is types]
    for code in ("import no_such_module", "from os import no_such_name", "import os.no_such"):
        try: exec(code)
        except ImportError as e: out.append((type(e).__name__, e.name))
    return repr(out)

# GET /
