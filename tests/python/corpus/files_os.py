"""files by descriptor"""
import os, tempfile
def on_client_request():
    d = tempfile.mkdtemp(); p = os.path.join(d, "f")
    fd = os.open(p, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(fd, b"hello world"); os.lseek(fd, 6, os.SEEK_SET)
    out = [os.read(fd, 3), os.fstat(fd).st_size]
    os.ftruncate(fd, 5); out.append(os.pread(fd, 10, 0)); os.close(fd)
    try: os.close(fd)
    except OSError as e: out.append(type(e).__name__)
    os.rename(p, p + "2"); os.mkdir(d + "/s"); os.makedirs(d + "/t/u"); open(d + "/t/u/v", "w").close()
    out += [sorted(os.listdir(d)), [(os.path.relpath(a, d), sorted(b), sorted(c)) for a, b, c in sorted(os.walk(d))], sorted((e.name, e.is_dir()) for e in os.scandir(d))]
    for f in (lambda: os.open(p, os.O_RDONLY), lambda: os.rmdir(d), lambda: os.mkdir(d + "/s"), lambda: open(d), lambda: os.listdir(p + "2")):
        try: f()
        except OSError as e: out.append(type(e).__name__)
    return repr(out)

# GET /
