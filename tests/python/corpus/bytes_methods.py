"""octets"""
def on_client_request(body):
    b = bytearray(b"hello")
    b[0] = 72
    b += b"!"
    return repr([bytes(b), b"a,b".split(b","), b"\x01\x02".hex(":"), bytes.fromhex("00ff"), b"abc"[1], b"abc".find(b"c"), list(b"ab"), memoryview(b"abc")[1:].tobytes(), b"%d %s" % (3, b"x")])

# GET /
