"""reading and writing numbers in other bases"""
def on_client_request():
    return f"{int('ff', 16)} {int('0b101', 0)} {0xFF:b} {255:o} {255:#X} {1_000_000:_} {int('-12', 8)} {bin(-5)}"

# GET /
