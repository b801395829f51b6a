"""assignment expressions"""
def on_client_request(query):
    if (n := len(query)) > 3: out = [n]
    else: out = []
    data = iter("abcq")
    while (c := next(data)) != "q": out.append(c)
    return repr([out, [y for x in range(5) if (y := x * x) > 4]])

# GET /?abcdef
# GET /?x
