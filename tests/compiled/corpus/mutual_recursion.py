"""refused: functions that call each other in a circle and return tuples"""
# GET /?1+2*(3-4)/2
# GET /?1/0
# GET /?2+
def expression(text, i):
    value, i = term(text, i)
    while i < len(text) and text[i] in "+-":
        op = text[i]
        right, i = term(text, i + 1)
        value = value + right if op == "+" else value - right
    return value, i
def term(text, i):
    value, i = factor(text, i)
    while i < len(text) and text[i] in "*/":
        op = text[i]
        right, i = factor(text, i + 1)
        value = value * right if op == "*" else value / right
    return value, i
def factor(text, i):
    if text[i] == "(":
        value, i = expression(text, i + 1)
        return value, i + 1
    start = i
    while i < len(text) and text[i].isdigit():
        i += 1
    return float(text[start:i]), i
def on_client_request(query):
    try:
        value, i = expression(query, 0)
    except (ValueError, IndexError):
        return 400, "cannot read " + query
    return str(value)
