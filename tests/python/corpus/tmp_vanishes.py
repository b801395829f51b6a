"""what one request writes, no other sees"""
import os
def on_client_request():
    found = os.path.exists("/tmp/mark")
    open("/tmp/mark", "w").write("x")
    return repr([found, os.listdir("/tmp")])

# expect: [False, ['mark']]
# GET /
# GET /
