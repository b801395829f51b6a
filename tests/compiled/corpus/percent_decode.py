"""a whole program: percent decoding"""
# GET /?a%20b%2Bc+d
def decode(text):
    out = ""
    i = 0
    while i < len(text):
        c = text[i]
        if c == "+":
            out += " "
        elif c == "%" and i + 2 < len(text):
            out += chr(int(text[i + 1:i + 3], 16))
            i += 2
        else:
            out += c
        i += 1
    return out
def on_client_request(query):
    return decode(query)
