"""a whole program: edit distance"""
# GET /?kitten,sitting
def distance(a, b):
    previous = list(range(len(b) + 1))
    for i, ca in enumerate(a):
        current = [i + 1]
        for j, cb in enumerate(b):
            current.append(min(previous[j + 1] + 1, current[j] + 1, previous[j] + (ca != cb)))
        previous = current
    return previous[-1]
def on_client_request(query):
    a, b = query.split(",")
    return str(distance(a, b))
