"""generators: yield, next, StopIteration"""
# GET /?5
def count(n):
    i = 0
    while i < n:
        yield i
        i += 1

def on_client_request(query):
    total = 0
    for i in count(int(query)):
        total += i
    return str(total) + str(list(count(3)))
