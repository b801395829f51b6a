"""sorting"""
def on_client_request():
    words = "the Quick brown fox Jumps".split()
    data = [("b", 2), ("a", 2), ("c", 1)]
    return repr([sorted(words), sorted(words, key=str.lower, reverse=True), sorted(data, key=lambda t: (t[1], t[0])), min(words, key=len), max(data), sorted({3: 0, 1: 0})])

# GET /
