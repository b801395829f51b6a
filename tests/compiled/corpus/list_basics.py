"""list: append, pop, insert, remove, sort, reverse, slices"""
# GET /?3,1,2
# GET /?5
def on_client_request(query):
    a = [int(x) for x in query.split(",")]
    a.append(10)
    a.insert(0, 7)
    a.insert(-1, 8)
    a.insert(100, 9)
    b = a[:]
    b.sort()
    a.reverse()
    popped = a.pop()
    first = a.pop(0)
    a.remove(8)
    a.extend([1, 2])
    a += [3]
    return "%s %s %d %d %s %s %s %d %d" % (a, b, popped, first, a[1:3], a[::-1], a * 2, len(a), a.count(1))
