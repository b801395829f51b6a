"""list: two names for one list; slices are copies"""
# GET /?x
def add(values, item):
    values.append(item)

def on_client_request(query):
    a = [1, 2]
    b = a
    add(b, 3)
    c = a[:]
    c.append(4)
    a += [5]
    return "%s %s %s" % (a, b, c)
