"""f-strings may hold any expression (3.12)"""
def on_client_request():
    d = {"k": "v"}
    return f"{d["k"]} {f"{f"{1 + 1}"}"} {"\n".join(["a", "b"])} {(lambda x: x * 2)(4)} {
        3  # a comment
    }"

# expect: v 2 a\nb 8 3
# GET /
