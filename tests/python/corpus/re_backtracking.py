"""patterns that look back and repeat"""
import re
def on_client_request():
    return repr([re.findall(r"\b(\w)(\w*)\1\b", "abba noon cat"), re.match(r"(?>a+)b", "aaab") is not None, re.match(r"a++b", "aaab") is not None, re.sub(r"(?m)^", "> ", "a\nb"), re.findall(r"(?x) \d + # digits", "12 3"), re.search(r"(?i:STRASSE)|ß", "straße").group()])

# GET /
