"""refused: an empty dict that another function fills"""
# GET /?abcbdab,bdcaba
def lcs(a, b, i, j, memo):
    if i == len(a) or j == len(b):
        return 0
    if (i, j) in memo:
        return memo[(i, j)]
    if a[i] == b[j]:
        r = 1 + lcs(a, b, i + 1, j + 1, memo)
    else:
        r = max(lcs(a, b, i + 1, j, memo), lcs(a, b, i, j + 1, memo))
    memo[(i, j)] = r
    return r
def on_client_request(query):
    a, b = query.split(",")
    return str(lcs(a, b, 0, 0, {}))
