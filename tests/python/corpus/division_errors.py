"""division by zero"""
def on_client_request():
    found = []
    for f in (lambda: 1 // 0, lambda: 1.0 / 0, lambda: 1 % 0, lambda: divmod(1, 0), lambda: 0 ** -1):
        try:
            f()
        except ZeroDivisionError as error:
            found.append(type(error).__name__)
    return " ".join(found)

# GET /
