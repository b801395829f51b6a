"""set: in, add, discard, union, sizes"""
# GET /?a,b,a,c
def on_client_request(query):
    s = set(query.split(","))
    s.add("z")
    s.discard("b")
    t = {"a", "q"}
    return "%d %s %s %s %s" % (len(s), "z" in s, sorted(s), sorted(s | t), sorted(s & t))
