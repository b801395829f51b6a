"""base64 and relatives"""
import base64, binascii
def on_client_request():
    return repr([base64.b64encode(b"\xff\xfe?"), base64.urlsafe_b64encode(b"\xff\xfe?"), base64.b32encode(b"hi"), base64.b16encode(b"hi"), base64.a85encode(b"hello"), base64.b85encode(b"hello"), base64.b64decode("aGk="), binascii.hexlify(b"ab", "-"), binascii.crc32(b"hello"), base64.b64encode(b"").decode()])

# GET /
