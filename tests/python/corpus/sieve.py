"""numbers without divisors"""
def on_client_request(query):
    n = int(query); s = bytearray([1]) * n; s[:2] = b"\0\0"
    for i in range(2, int(n ** .5) + 1):
        if s[i]: s[i * i::i] = bytes(len(range(i * i, n, i)))
    return f"{sum(s)} {[i for i in range(n) if s[i]][-3:]}"

# GET /?5000
