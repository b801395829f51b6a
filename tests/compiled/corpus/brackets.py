"""a whole program: balanced brackets, stacks and queues"""
# GET /?(a[b]{c})
# GET /?(]
def balanced(text):
    pairs = {")": "(", "]": "[", "}": "{"}
    stack = []
    for c in text:
        if c in "([{":
            stack.append(c)
        elif c in pairs:
            if not stack or stack.pop() != pairs[c]:
                return False
    return not stack
def on_client_request(query):
    q = [1, 2, 3]
    first = q.pop(0)
    return str(balanced(query)) + str(first) + str(q)
