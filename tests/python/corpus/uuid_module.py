"""identifiers"""
import uuid
def on_client_request():
    u = uuid.UUID("12345678123456781234567812345678")
    return repr([u, u.hex, u.fields[:2], uuid.uuid5(uuid.NAMESPACE_URL, "http://x"), uuid.uuid3(uuid.NAMESPACE_DNS, "x"), u.version, uuid.UUID(int=5).bytes])

# GET /
