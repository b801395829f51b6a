"""translation tables"""
def on_client_request(query):
    return query.translate(str.maketrans("abc", "xyz", "-")) + "".join(map(chr, range(97, 102))) + "é".translate({233: "e"})

# GET /?a-b-c-d
