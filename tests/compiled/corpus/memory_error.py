"""MemoryError when the memory limit is reached"""
# GET /?x
def on_client_request(query):
    try:
        big = [0.0] * (1 << 60)
        return str(len(big))
    except MemoryError:
        return "caught"
