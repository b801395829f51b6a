"""else of loops"""
def on_client_request():
    out = []
    for n in range(2, 12):
        for d in range(2, n):
            if n % d == 0: break
        else: out.append(n)
    while out and out[-1] > 7: out.pop()
    else: out.append("end")
    return repr(out)

# GET /
