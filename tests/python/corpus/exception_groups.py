"""groups of exceptions"""
def on_client_request():
    out = []
    try:
        raise ExceptionGroup("several", [ValueError("a"), TypeError("b"), ExceptionGroup("in", [KeyError("c")])])
    except* ValueError as g: out.append(repr(g.exceptions))
    except* (TypeError, KeyError) as g: out.append(repr(g.exceptions))
    return " | ".join(out)

# GET /
