"""str.split: spaces, separators, limits, empty separator"""
# GET /?a b  c
# GET /?a,b,,c
# GET /?
# GET /?--a--b
def on_client_request(query):
    out = [str(query.split()), str(query.split(",")), str(query.split("--")), str(query.split(",", 1)), str(query.split(None, 1))]
    try:
        out.append(str(query.split(query[:0])))
    except ValueError as error:
        out.append(str(error))
    return "|".join(out)
