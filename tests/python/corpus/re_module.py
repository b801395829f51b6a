"""regular expressions"""
import re
def on_client_request():
    p = re.compile(r"(?P<year>\d{4})-(?P<m>\d\d)", re.I)
    s = "2024-05 and 1999-12"
    m = p.search(s)
    return repr([m.groupdict(), m.span("m"), p.findall(s), p.sub(r"\g<m>/\1", s), re.split(r"[,;]\s*", "a, b;c"), re.fullmatch("a+b?", "aab") is not None, re.sub("x", lambda k: k[0].upper(), "axb"), re.match(r"(a|b)*?c(?=d)", "abcd").group(), re.escape("a.b*c"), [x.start() for x in re.finditer("a", "banana")], re.findall(r"(?s).(?<=\w)", "é1"), re.subn("a", "b", "aaa")])

# GET /
