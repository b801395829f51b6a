"""a whole program: Roman numerals"""
# GET /?1994
NUMERALS = [(1000, "M"), (900, "CM"), (500, "D"), (400, "CD"), (100, "C"), (90, "XC"), (50, "L"), (40, "XL"), (10, "X"), (9, "IX"), (5, "V"), (4, "IV"), (1, "I")]
def on_client_request(query):
    n = int(query)
    out = ""
    for value, text in NUMERALS:
        while n >= value:
            out += text
            n -= value
    return out
