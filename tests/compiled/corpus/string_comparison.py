"""str: comparison, sorting, in"""
# GET /?b,a,B,aa
def on_client_request(query):
    words = query.split(",")
    return "%s %s %s %s" % (sorted(words), "a" in words, words[0] > words[1], "a" in query)
