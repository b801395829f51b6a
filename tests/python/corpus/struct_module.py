"""packed octets"""
import struct, array
def on_client_request():
    p = struct.pack("<iHd?4s", -1, 65535, 1.5, True, b"ab")
    a = array.array("i", [1, 2]); a.append(3); a.byteswap()
    return repr([p, struct.unpack("<iHd?4s", p), struct.calcsize(">bq"), list(struct.iter_unpack(">H", b"\0\1\0\2")), struct.pack(">e", 1.5), a.tolist(), array.array("d", [0.5]).tobytes()])

# GET /
