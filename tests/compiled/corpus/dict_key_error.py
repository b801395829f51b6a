"""dict: KeyError for reads, += and pop"""
# GET /?read
# GET /?add
# GET /?pop
# GET /?int
# GET /?caught
def on_client_request(query):
    d = {"a": 1}
    e = {1: "one"}
    if query == "read":
        return str(d[query])
    if query == "add":
        d[query] += 1
        return str(d)
    if query == "pop":
        return str(d.pop(query))
    if query == "int":
        return e[len(query)]
    try:
        return str(d["missing"])
    except KeyError as error:
        return "caught"
