"""list: IndexError for reads, writes, pop; ValueError for remove and index"""
# messages: those of CPython 3.14
# GET /?read
# GET /?negative
# GET /?write
# GET /?pop
# GET /?remove
# GET /?index
# GET /?empty
def on_client_request(query):
    a = [1, 2, 3]
    n = len(query)
    if query == "read":
        return str(a[n])
    if query == "negative":
        return str(a[-n])
    if query == "write":
        a[n] = 1
    if query == "pop":
        a.pop(n + 5)
    if query == "remove":
        a.remove(n)
    if query == "index":
        return str(a.index(n))
    b = a[:0]
    b.pop()
    return str(a)
