"""shallow and deep copies"""
import copy
def on_client_request():
    a = [[1], {"k": [2]}]
    a.append(a)
    s, d = copy.copy(a), copy.deepcopy(a)
    a[0].append(9)
    return repr([s[0], d[0], d[2] is d, s[2] is a])

# GET /
