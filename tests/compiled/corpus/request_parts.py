"""the request: method, path, query, body in any order"""
# POST /a/b?c=d hello body
# GET /%C3%A9%2Fx%zz?raw=%20
def on_client_request(body, method, query, path):
    return "%s|%s|%s|%s" % (method, path, query, body)
