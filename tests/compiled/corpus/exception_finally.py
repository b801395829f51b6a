"""try/finally and try/else"""
# GET /?ok
# GET /?bad
def on_client_request(query):
    log = []
    try:
        if query == "bad":
            raise ValueError("x")
        log.append("body")
    except ValueError:
        log.append("except")
    else:
        log.append("else")
    finally:
        log.append("finally")
    return ",".join(log)
