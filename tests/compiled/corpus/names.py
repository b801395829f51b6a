"""names that mean something in C++, and names of builtins"""
# GET /?3
def double(int_value):
    return int_value * 2
def sum_all(values):
    total = 0
    for errno in values:
        total += errno
    return total
def on_client_request(query):
    NULL = int(query)
    stdin = [double(NULL), 1]
    list = stdin + [2]
    template = "x"
    return str(sum_all(list)) + template
