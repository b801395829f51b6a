"""list: assignment to slices and del"""
# GET /?x
def on_client_request(query):
    a = [1, 2, 3, 4, 5]
    a[1:3] = [9, 9, 9]
    a[0] = len(query)
    b = a[1:]
    b[0] = 100
    return "%s %s" % (a, b)
