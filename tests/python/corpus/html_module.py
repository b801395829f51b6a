"""HTML as text"""
import html
from html.parser import HTMLParser
class P(HTMLParser):
    def __init__(self): super().__init__(); self.out = []
    def handle_starttag(self, t, a): self.out.append((t, a))
    def handle_data(self, d): self.out.append(d)
    def handle_endtag(self, t): self.out.append("/" + t)
def on_client_request():
    p = P(); p.feed("<p class='x'>a &amp; b<br/></p><!-- c -->")
    return repr([html.escape("<a href=\"x\">'&</a>"), html.unescape("&lt;&#233;&copy;&nbsp;&notit;"), p.out])

# GET /
