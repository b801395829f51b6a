"""uuid7 and uuid8 (3.14)"""
import uuid
def on_client_request():
    a, b = uuid.uuid7(), uuid.uuid7()
    return repr([a.version, a < b, uuid.uuid8(1, 2, 3).version])

# expect: [7, True, 8]
# GET /
