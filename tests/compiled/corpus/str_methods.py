"""str: case, strip, find, replace, starts, ends"""
# POST / Hello World
# POST / __spaces__
# POST / aXbXc
def on_client_request(body):
    s = body.replace("_", " ")
    t = s
    out = [s.upper(), s.lower(), s.capitalize(), s.strip(), s.lstrip(), s.rstrip(), s.replace("o", "0"), s.replace("X", "--", 1)]
    out += [str(s.find("o")), str(s.find("zz")), str(s.count("o")), str(s.startswith("He")), str(s.endswith("ld")), str(s.isalpha()), str(s.isdigit())]
    out += [s.strip("Hd"), t]
    return "|".join(out)
