"""f-strings: plain, conversions, format specs, nested"""
# GET /?5
# GET /?-1234567
def on_client_request(query):
    n = int(query)
    x = n / 7
    width = 12
    return f"{n} {x:.3f} {query!r} {n:>8} {n:<8}| {n:^8}| {n:08d} {n:,} {n:x} {n:+} {x:{width}.2f} {x:e} {x:g} {x:%} {query:*^9} {{}} {n + 1}"
