"""messages of common mistakes"""
def on_client_request():
    out = []
    for f in (lambda: [][0], lambda: {}["k"], lambda: None.x, lambda: "a" + 1, lambda: int("q"), lambda: (1).foo, lambda: undefined, lambda: len(3), lambda: next(iter([]))):
        try: f()
        except Exception as e: out.append(f"{type(e).__name__}: {e}")
    return "\n".join(out)

# GET /
