"""ints beyond 64 bits"""
# differs: an OverflowError, never another number
# GET /?a=9223372036854775807
# GET /?a=4611686018427387904
# GET /?a=1000000
def on_client_request(query):
    a = int(query[2:])
    total = a
    for i in range(3):
        total = total * a
    return str(total)
