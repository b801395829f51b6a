"""str, hex, oct, bin, chr, ord of ints"""
# GET /?0
# GET /?255
# GET /?-255
# GET /?-9223372036854775808
def on_client_request(query):
    n = int(query)
    return " ".join([str(n), hex(n), oct(n), bin(n), chr(65), str(ord("a")), repr(n)])
