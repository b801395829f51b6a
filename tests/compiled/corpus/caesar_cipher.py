"""a whole program: Caesar's cipher"""
# POST /?3 Hello, World!
def shift(c, n):
    if "a" <= c <= "z":
        return chr((ord(c) - ord("a") + n) % 26 + ord("a"))
    if "A" <= c <= "Z":
        return chr((ord(c) - ord("A") + n) % 26 + ord("A"))
    return c
def on_client_request(query, body):
    n = int(query)
    return "".join(shift(c, n) for c in body)
