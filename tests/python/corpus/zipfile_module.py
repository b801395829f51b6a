"""archives"""
import zipfile, io, tarfile
def on_client_request():
    b = io.BytesIO()
    with zipfile.ZipFile(b, "w", zipfile.ZIP_DEFLATED) as z:
        z.writestr("a/b.txt", "hello " * 50); z.writestr("c.txt", "x")
    z = zipfile.ZipFile(b)
    t = io.BytesIO()
    with tarfile.open(fileobj=t, mode="w:gz") as f:
        i = tarfile.TarInfo("n.txt"); i.size = 3; f.addfile(i, io.BytesIO(b"abc"))
    t.seek(0)
    return repr([z.namelist(), z.read("c.txt"), z.getinfo("a/b.txt").file_size, z.testzip(), tarfile.open(fileobj=t).extractfile("n.txt").read()])

# GET /
