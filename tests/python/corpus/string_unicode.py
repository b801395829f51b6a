"""text beyond ASCII"""
import unicodedata
def on_client_request():
    s = "Straße Ünïcödé 日本 😀"
    return repr([len(s), s.upper(), s.casefold(), s.encode("utf-8")[-4:], unicodedata.name("é"), unicodedata.normalize("NFD", "é").encode(), "😀".encode("utf-16-le"), s[-1], ord("日"), "\N{SNOWMAN}"])

# GET /
