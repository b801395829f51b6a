"""numbers as octets"""
def on_client_request():
    return repr([(1000).to_bytes(4, "big"), int.from_bytes(b"\x01\x00", "little"), (-2).to_bytes(2, "big", signed=True), (255).bit_count()])

# GET /
