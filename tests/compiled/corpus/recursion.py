"""recursion"""
# GET /?10
def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)

def on_client_request(query):
    return str(fib(int(query)))
