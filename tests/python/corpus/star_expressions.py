"""stars in calls and displays"""
def on_client_request():
    a = [1, 2]
    return repr([[*a, *"bc"], {*a, 3} == {1, 2, 3}, {**{"x": 1}, "y": 2}, (lambda *p, **k: (p, k))(*a, 9, **{"z": 1}), print(*a, sep="-")])

# GET /
