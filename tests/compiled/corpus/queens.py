"""a whole program: queens on a board"""
# GET /?6
def place(n, row, columns):
    if row == n:
        return 1
    total = 0
    for c in range(n):
        ok = True
        for r, other in enumerate(columns):
            if other == c or abs(other - c) == row - r:
                ok = False
                break
        if ok:
            total += place(n, row + 1, columns + [c])
    return total
def on_client_request(query):
    return str(place(int(query), 0, []))
