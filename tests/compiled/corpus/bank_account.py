"""a whole program: a bank account"""
# GET /?deposit:10,withdraw:5,withdraw:50
def apply(balance, action):
    kind, amount = action
    if kind == "deposit":
        return balance + amount
    if amount > balance:
        raise ValueError(f"cannot withdraw {amount} of {balance}")
    return balance - amount
def on_client_request(query):
    balance = 0
    log = []
    for part in query.split(","):
        kind, amount = part.split(":")
        try:
            balance = apply(balance, (kind, int(amount)))
            log.append(f"{kind} {amount}: {balance}")
        except ValueError as e:
            log.append(str(e))
    return "\n".join(log)
