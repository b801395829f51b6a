"""what on_init writes to /tmp, every request finds"""
import os
def on_init():
    open("/tmp/table", "w").write("1,2")
def on_client_request():
    text = open("/tmp/table").read()
    open("/tmp/table", "w").write("spoilt")
    return text

# expect: 1,2
# GET /
# GET /
