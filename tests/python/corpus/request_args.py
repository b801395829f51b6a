"""arguments of a query"""
def on_client_request(args):
    return repr([args.get("a"), args.get("b", "none"), "c" in args])

# GET /?a=1&a=2&c=%20+
# GET /
