"""methods of text"""
def on_client_request():
    s = "  Hello, World  "
    return repr([s.strip(), s.lower().split(","), s.replace("l", "L", 2), s.find("World"), "abc".center(9, "*"),
                 "a-b_c".partition("-"), "x=1=2".rsplit("=", 1), "tItLe cAsE".title(), "abc".startswith(("x", "a")), "%".join("abc")])

# GET /
