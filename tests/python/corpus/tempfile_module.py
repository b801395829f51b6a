"""temporary files"""
import tempfile, os, pathlib
def on_client_request():
    out = []
    with tempfile.TemporaryDirectory() as d:
        p = pathlib.Path(d, "a.txt"); p.write_text("x\ny\n")
        out += [p.read_text().splitlines(), p.stat().st_size, p.name, p.suffix, sorted(x.name for x in pathlib.Path(d).iterdir())]
    out.append(os.path.exists(d))
    with tempfile.NamedTemporaryFile("w+", suffix=".t") as f:
        f.write("hello"); f.seek(0); out.append(f.read())
        out.append(f.name.endswith(".t"))
    with tempfile.SpooledTemporaryFile() as s: s.write(b"q"); s.seek(0); out.append(s.read())
    return repr(out)

# GET /
