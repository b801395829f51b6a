"""str: case, strip, find, replace, starts, ends"""
# GET /?Hello World
# GET /?  spaces  
# GET /?aXbXc
def on_client_request(query):
    s = query
    t = s
    out = [s.upper(), s.lower(), s.capitalize(), s.strip(), s.lstrip(), s.rstrip(), s.replace("o", "0"), s.replace("X", "--", 1)]
    out += [str(s.find("o")), str(s.find("zz")), str(s.count("o")), str(s.startswith("He")), str(s.endswith("ld")), str(s.isalpha()), str(s.isdigit())]
    out += [s.strip("Hd"), t]
    return "|".join(out)
