"""comprehensions"""
def on_client_request():
    return repr([[x * y for x in range(3) for y in range(3) if x != y], {x % 3 for x in range(10)}, {c: i for i, c in enumerate("abc")}, [[j for j in range(i)] for i in range(3)], [y := 5, y + 1]])

# GET /
