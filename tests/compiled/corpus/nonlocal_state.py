"""nonlocal"""
# GET /?3
def on_client_request(query):
    total = 0
    def add(n):
        nonlocal total
        total += n
    for i in range(int(query)):
        add(i)
    return str(total)
