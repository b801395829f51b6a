"""refused: an iterator walked over twice"""
# GET /?3
def numbers(n):
    for i in range(n):
        yield i

def on_client_request(query):
    g = numbers(int(query))
    first = [x for x in g]
    return str(first) + str(list(g))
