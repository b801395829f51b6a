"""format(value, spec): errors and defaults"""
# GET /?3
# GET /?1000000
def on_client_request(query):
    n = int(query)
    out = [format(n, "b"), format(n, "#o"), format(n, "_"), format(float(n), ".1e"), format(float(n), ""), format(float(n), ".3"), format("x", ">5")]
    try:
        out.append(format(n, "s"))
    except ValueError as error:
        out.append(str(error))
    return "|".join(out)
