"""differences of texts"""
import difflib
def on_client_request():
    a, b = "one\ntwo\nthree\n".splitlines(True), "one\n2\nthree\nfour\n".splitlines(True)
    return "".join(difflib.unified_diff(a, b, "a", "b")) + repr([difflib.get_close_matches("appel", ["ape", "apple", "peach"]), round(difflib.SequenceMatcher(None, "abcd", "bcde").ratio(), 3)]) + "".join(difflib.ndiff(a, b))

# GET /
