"""% with floats: %f %e %g, width and precision"""
# GET /?3.14159
# GET /?-2.5
# GET /?1e20
# GET /?0.000012345
# GET /?0
# GET /?inf
def on_client_request(query):
    x = float(query)
    return "[%f] [%.2f] [%10.3f] [%-10.1f] [%+.0f] [%e] [%.3e] [%g] [%.3g] [%010.2f]" % (x, x, x, x, x, x, x, x, x, x)
