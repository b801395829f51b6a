"""itertools.batched (3.12, strict in 3.13)"""
import itertools
def on_client_request():
    out = [list(itertools.batched("abcde", 2))]
    try: list(itertools.batched("abc", 2, strict=True))
    except ValueError as e: out.append("strict")
    return repr(out)

# expect: [[('a', 'b'), ('c', 'd'), ('e',)], 'strict']
# GET /
