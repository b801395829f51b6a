"""str.split: spaces, separators, limits, empty separator"""
# POST / a b  c
# POST / a,b,,c
# POST /
# POST / --a--b
def on_client_request(body):
    query = body
    out = [str(query.split()), str(query.split(",")), str(query.split("--")), str(query.split(",", 1)), str(query.split(None, 1))]
    try:
        out.append(str(query.split(query[:0])))
    except ValueError as error:
        out.append(str(error))
    return "|".join(out)
