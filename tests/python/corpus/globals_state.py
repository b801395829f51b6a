"""a request sees the module as it was frozen"""
count = 0
seen = {}
def on_init():
    global count
    count = 10
    seen["init"] = True
def on_client_request():
    global count
    count += 1
    seen[count] = 1
    return f"{count} {seen}"

# GET /
