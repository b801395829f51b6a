"""closures and functions as values"""
# GET /?4
def adder(n):
    def add(x):
        return x + n
    return add

def twice(f, x):
    return f(f(x))

def on_client_request(query):
    n = int(query)
    add = adder(n)
    def answer():
        return "text/html", str(twice(add, 1)) + str(list(map(lambda x: x * n, [1, 2, 3])))
    return answer
