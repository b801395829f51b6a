"""views of dictionaries"""
def on_client_request():
    a, b = {"x": 1, "y": 2}, {"y": 2, "z": 3}
    return repr([sorted(a.keys() & b.keys()), sorted(a.keys() ^ b.keys()), sorted(a.items() - b.items()), len(a.values())])

# GET /
