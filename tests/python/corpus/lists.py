"""lists"""
def on_client_request():
    a = [3, 1, 2]
    b = a[:]
    b.append(4); b.extend([5]); b.insert(0, 0); b.remove(3); b.reverse()
    a.sort(key=lambda x: -x)
    b[1:3] = ["x", "y", "z"]
    del b[-1]
    return repr([a, b, a * 2, [1, 2] < [1, 3], b.index("y"), a.pop(0), a.count(1), sorted("banana"), [*a, *b]])

# GET /
