"""str: indexes, negative too; IndexError"""
# GET /?abc,0
# GET /?abc,-1
# GET /?abc,-3
# GET /?abc,3
# GET /?abc,-4
def on_client_request(query):
    parts = query.split(",")
    s = parts[0]
    i = int(parts[1])
    return s[i] + s[0] + s[-1]
