"""floats in hexadecimal"""
def on_client_request():
    return f"{(0.1).hex()} {float.fromhex('0x1.8p3')} {(0.75).as_integer_ratio()} {(2.0).is_integer()}"

# GET /
