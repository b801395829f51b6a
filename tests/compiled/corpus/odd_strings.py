"""strings: escapes, quotes, nulls, trigraphs, beyond ASCII"""
# GET /?x
TABLE = {"a\"b": "q\\", "tab\t": "nl\n", "é": "ü", "\x01": "\x7f"}
def on_client_request(query):
    parts = ["??/", "??=", "%s", "\"", "\\", "\\n", "\a\b\f\v", "\x001", "a\x00b", "\u2028", "😀", "'", "\r\n", "*/", "//", "#include <x>", "\N{SNOWMAN}1", "\x1b9", "\1779", "R\"(x)\""]
    sizes = [len(p) for p in parts[:8]]
    return "|".join(parts) + str(sizes) + str(TABLE) + "%d%%" % 5 + "é" + query
