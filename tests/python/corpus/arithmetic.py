"""whole numbers of any size"""
def on_client_request(query):
    n = int(query or 40)
    return f"{2**n - 1} {-7 // 2} {-7 % 2} {divmod(-7, 2)} {n.bit_length()} {(n << 70) >> 68}"

# GET /?100
