"""% formatting: s r d x o c %% with widths"""
# GET /?5
# GET /?-300
def on_client_request(query):
    n = int(query)
    return "[%s] [%5d] [%-5d] [%05d] [%x] [%X] [%#x] [%o] [%c] [%%] [%r] [%10s] [%-10s] [%.2s] [%+d] [% d]" % (n, n, n, n, n, n, n, n, "c", query, query, query, query, n, n)
