"""exec and eval"""
def on_client_request(query):
    ns = {"n": 6}
    exec("def sq(x): return x * x\nr = sq(n)", ns)
    code = compile("a + b", "<expr>", "eval")
    out = [ns["r"], eval(code, {"a": 1, "b": 2}), eval("[i for i in range(3)]")]
    try: eval("1 +")
    except SyntaxError as e: out.append(e.lineno)
    return repr(out)

# GET /
