"""loops: while, for-else, break, continue, range with steps, enumerate, zip, reversed"""
# GET /?7
# GET /?12
def on_client_request(query):
    n = int(query)
    out = []
    for i in range(2, n):
        if n % i == 0:
            out.append("divisor " + str(i))
            break
    else:
        out.append("prime")
    for i in range(n, 0, -3):
        if i == 4:
            continue
        out.append(str(i))
    while n > 0:
        n -= 5
    out.append(str(n))
    for i, c in enumerate("ab"):
        out.append(str(i) + c)
    for a, b in zip([1, 2], ["x", "y"]):
        out.append(str(a) + b)
    for x in reversed([1, 2, 3]):
        out.append(str(x))
    return " ".join(out)
