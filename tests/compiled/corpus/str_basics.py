"""str: + * in len slices comparison"""
# GET /?hello
# GET /?
# GET /?a
def on_client_request(query):
    s = query
    out = [s + "!", s * 3, str(len(s)), str("l" in s), s[1:3], s[::-1], s[-2:], s[:1], s[10:], s[3:1], str(s < "b"), str(s == "hello")]
    return "|".join(out)
