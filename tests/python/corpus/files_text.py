"""text files"""
import tempfile, os
def on_client_request():
    p = os.path.join(tempfile.mkdtemp(), "t")
    with open(p, "w", encoding="utf-8", newline="\r\n") as f: f.write("é\nb\n"); n = f.tell()
    out = [n, open(p, "rb").read(), open(p, encoding="utf-8").read(), open(p, encoding="utf-8", newline="").readlines()]
    with open(p, "a+", encoding="latin-1") as f: f.write("ä"); f.seek(0); out.append(f.readline())
    with open(p, "r+b") as f: f.seek(-1, 2); out.append(f.read()); f.seek(0); f.write(b"XX"); f.truncate()
    with open(p, "rb", buffering=0) as f: b = bytearray(5); out += [f.readinto(b), b, f.readall()]
    for mode in ("x", "rw", "q", "rbt"):
        try: open(p, mode)
        except (ValueError, OSError) as e: out.append(type(e).__name__)
    try: open(p, "w").read()
    except OSError as e: out.append(type(e).__name__)
    return repr(out)

# GET /
