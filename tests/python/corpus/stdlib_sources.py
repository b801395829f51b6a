"""the standard library's sources can be read"""
import json, inspect
def on_client_request():
    return repr([json.__file__, inspect.getsource(json.dumps).splitlines()[0], len(inspect.getsource(json)) > 1000])

# expect: ['/usr/lib/python3.14/json/__init__.py', 'def dumps(obj, *, skipkeys=False, ensure_ascii=True, check_circular=True,', True]
# GET /
