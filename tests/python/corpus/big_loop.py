"""a long loop"""
def on_client_request(query):
    n, total = int(query), 0
    for i in range(n):
        if i % 3 == 0 or i % 5 == 0: total += i
    return str(total)

# GET /?20000
