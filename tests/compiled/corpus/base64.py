"""a whole program: base64"""
# POST / Hello, World!
ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"
def encode(text):
    out = ""
    data = [ord(c) for c in text]
    for i in range(0, len(data), 3):
        chunk = data[i:i + 3]
        n = 0
        for b in chunk:
            n = n << 8 | b
        n <<= 8 * (3 - len(chunk))
        part = ""
        for k in range(4):
            part += ALPHABET[n >> (18 - 6 * k) & 63]
        out += part[:len(chunk) + 1] + "=" * (3 - len(chunk))
    return out
def on_client_request(body):
    return encode(body)
