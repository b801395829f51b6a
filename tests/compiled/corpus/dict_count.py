"""dict: counting words, sorting by value"""
# GET /?the+cat+and+the+dog+and+the+bird
def by_count(pair):
    return (-pair[1], pair[0])

def on_client_request(query):
    counts = {}
    for word in query.replace("+", " ").split():
        counts[word] = counts.get(word, 0) + 1
    pairs = [(word, counts[word]) for word in counts]
    pairs.sort(key=by_count)
    return str(pairs)
