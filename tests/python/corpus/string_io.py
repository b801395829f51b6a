"""streams in memory"""
import io
def on_client_request():
    s = io.StringIO("one\ntwo\nthree"); b = io.BytesIO()
    b.write(b"abc"); b.seek(1); b.write(b"X"); 
    t = io.TextIOWrapper(io.BytesIO(), encoding="utf-16"); t.write("é"); t.flush()
    r = io.BufferedReader(io.BytesIO(b"peekaboo"))
    return repr([s.readline(), list(s), s.tell(), b.getvalue(), r.peek(2)[:2], r.read(3), io.StringIO("a\r\nb", newline=None).read()])

# GET /
