"""addresses"""
from urllib.parse import *
def on_client_request():
    u = urlsplit("https://user:pw@host.com:8080/p/a;x?q=1&q=2&e=#frag")
    return repr([u.hostname, u.port, u.username, u.path, parse_qs(u.query), parse_qsl("a=1&b=%20&c", keep_blank_values=True), quote("a b/é?"), quote_plus("a b&"), unquote("%E9%20", "latin-1"), urlencode({"k": ["v 1", "w"]}, doseq=True), urljoin("http://a/b/c", "../d?x"), urlunsplit(u), urldefrag("a#b").fragment, unquote_plus("a+b")])

# GET /
