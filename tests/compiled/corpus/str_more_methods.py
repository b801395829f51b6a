"""str: title, swapcase, center, zfill, partition, rsplit, splitlines, removeprefix"""
# GET /?hello+world
# GET /?42
# GET /?a=b=c
def on_client_request(query):
    s = query.replace("+", " ")
    out = [s.title(), s.swapcase(), s.center(15, "*"), s.ljust(12) + ".", s.rjust(12), s.zfill(8), s.removeprefix("he"), s.removesuffix("ld")]
    out += [str(s.partition("=")), str(s.rpartition("=")), str(s.rsplit("=", 1)), str((s + "\nx\r\ny\n").splitlines()), str(s.rfind("o")), str(s.isalnum()), str(s.isspace()), str(s.isupper()), str(s.islower())]
    return "|".join(out)
