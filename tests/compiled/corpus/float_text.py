"""str(float): the shortest digits that read back"""
# GET /?1
# GET /?1e16
# GET /?123456789012345680
# GET /?0.1
# GET /?1e-5
# GET /?0.0001
# GET /?nan
# GET /?-inf
# GET /?-0.0
# GET /?5e-324
# GET /?1.7976931348623157e308
# GET /?3.14159
# GET /?2.5e-7
def on_client_request(query):
    x = float(query)
    return "%s %s %r %s" % (str(x), repr(x), x, [x, x / 3])
