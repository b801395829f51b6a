"""paths"""
import pathlib, os, fnmatch, glob, shutil, tempfile
def on_client_request():
    d = pathlib.Path(tempfile.mkdtemp())
    (d / "a" / "b").mkdir(parents=True); (d / "a" / "x.py").write_text("1"); (d / "a" / "b" / "y.py").touch()
    shutil.copytree(d / "a", d / "c"); shutil.rmtree(d / "a"); (d / "c" / "x.py").rename(d / "z.py")
    p = pathlib.PurePosixPath("/usr/../lib/x.tar.gz")
    return repr([sorted(str(q.relative_to(d)) for q in d.rglob("*")), p.stem, p.suffixes, p.parent, p.with_suffix(".zip"), os.path.normpath(str(p)), p.is_relative_to("/usr"), fnmatch.filter(["a.py", "b.c"], "*.py"), sorted(os.path.basename(g) for g in glob.glob(str(d / "*.py"))), (d / "z.py").is_file(), (d / "no").exists(), pathlib.Path("a/b") / "/c"])

# GET /
