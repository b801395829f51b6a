"""sorted: stable, key, reverse; min and max with key"""
# GET /?pear,fig,apple,kiwi,date
def on_client_request(query):
    words = query.split(",")
    by_size = sorted(words, key=len)
    down = sorted(words, reverse=True)
    return "%s %s %s %s %s" % (by_size, down, max(words), min(words, key=len), sorted([3, 1, 2]))
