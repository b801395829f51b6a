"""counting words"""
from collections import Counter
def on_client_request(body):
    text = body if isinstance(body, str) else body.decode()
    return repr(sorted(Counter(text.lower().split()).items()))

# POST / the cat and the dog
