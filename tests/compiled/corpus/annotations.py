"""type annotations"""
# GET /?5
LIMIT: int = 3

def double(n: int) -> int:
    return n * 2

def on_client_request(query: str) -> str:
    total: int = double(int(query))
    return str(total + LIMIT)
