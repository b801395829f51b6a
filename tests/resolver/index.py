"""A package index on loopback: wheels made on the spot, good ones and others."""

import hashlib
import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from importlib import metadata
from pathlib import Path
from typing import Any


def wheel(
    name: str,
    version: str = "1.0",
    files: Mapping[str, bytes] | None = None,
    *,
    requires: tuple[str, ...] = (),
    tag: str = "py3-none-any",
) -> tuple[str, bytes]:
    """Make a wheel: its file name and its octets."""
    info = f"{name}-{version}.dist-info"
    metadata = "".join(f"{key}: {value}\n" for key, value in [("Metadata-Version", "2.1"), ("Name", name)])
    metadata += f"Version: {version}\n" + "".join(f"Requires-Dist: {needed}\n" for needed in requires)
    content = {
        **({f"{name}/__init__.py": f"version = {version!r}\n".encode()} if files is None else files),
        f"{info}/METADATA": metadata.encode(),
        f"{info}/WHEEL": f"Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: {tag}\n".encode(),
        f"{info}/RECORD": b"",
    }
    return f"{name}-{version}-{tag}.whl", archive(content)


def archive(content: Mapping[str, bytes]) -> bytes:
    """Make a zip archive with these entries."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as target:
        for path, octets in content.items():
            # Without a time, so that the same content is the same archive: its digest names a layer.
            target.writestr(zipfile.ZipInfo(path), octets, zipfile.ZIP_DEFLATED)
    return buffer.getvalue()


class LocalIndex:
    """What the index has. `paths` are those that were asked for."""

    def __init__(self, *, html: bool = False) -> None:
        self.html = html
        self.url = ""
        self.paths: list[str] = []
        self.files: dict[str, dict[str, dict[str, Any]]] = {}
        self.contents: dict[str, bytes] = {}
        self.redirects: dict[str, str] = {}
        self.authorization = ""
        """What every question must come with; empty: nothing."""
        self.authorizations: list[str | None] = []
        """What they came with."""

    def add(self, project: str, file: tuple[str, bytes], **facts: Any) -> str:
        """Offer a file; return its digest. `facts` are those of PEP 691."""
        name, content = file
        digest = hashlib.sha256(content).hexdigest()
        entry = {"filename": name, "url": f"../../files/{name}", "hashes": {"sha256": digest}, **facts}
        self.files.setdefault(project, {})[name] = entry
        self.contents[f"/files/{name}"] = content
        return digest

    def answer(self, path: str) -> tuple[str, bytes] | None:
        """Return media type and content of a path."""
        if path in self.contents:
            return "application/octet-stream", self.contents[path]
        project = path.removeprefix("/simple/").rstrip("/")
        if not path.startswith("/simple/") or project not in self.files:
            return None
        files = list(self.files[project].values())
        if not self.html:
            return "application/vnd.pypi.simple.v1+json", json.dumps({"files": files}).encode()
        anchors = [
            f'<a href="{file["url"]}#sha256={file["hashes"]["sha256"]}"'
            + (f' data-requires-python="{file["requires-python"]}"' if "requires-python" in file else "")
            + (' data-yanked=""' if file.get("yanked") else "")
            + f">{file['filename']}</a><br>"
            for file in files
        ]
        return "text/html", f"<!DOCTYPE html><body>{''.join(anchors)}</body>".encode()


@contextmanager
def serving(index: LocalIndex) -> Iterator[LocalIndex]:
    """Serve an index on loopback; `url` is its address then."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            index.paths.append(self.path)
            index.authorizations.append(self.headers["Authorization"])
            if self.path in index.redirects:
                self.send_response(302)
                self.send_header("Location", index.redirects[self.path])
                self.send_header("Content-Length", "0")
                self.end_headers()
                return
            denied = index.authorization and self.headers["Authorization"] != index.authorization
            found = None if denied else index.answer(self.path)
            content = found[1] if found else b"nothing"
            self.send_response(401 if denied else 200 if found else 404)
            self.send_header("Content-Type", found[0] if found else "text/plain")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    index.url = f"http://127.0.0.1:{server.server_port}/simple/"
    try:
        yield index
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def installed(name: str) -> tuple[str, bytes]:
    """Make a wheel from a package of this environment, native files included."""
    found = metadata.distribution(name)
    paths = [path for path in found.files or () if ".." not in path.parts and "__pycache__" not in path.parts]
    content = {path.as_posix(): Path(str(found.locate_file(path))).read_bytes() for path in paths}
    content = {path: octets for path, octets in content.items() if path.rpartition("/")[2] not in _ADDED}
    (about,) = [octets for path, octets in content.items() if path.endswith(".dist-info/WHEEL")]
    tag = re.findall(r"^Tag: (\S+)$", about.decode(), re.MULTILINE)[-1]
    file = f"{found.metadata['Name'].replace('-', '_').lower()}-{found.version}-{tag}.whl"
    return file, archive(content)


_ADDED = {"INSTALLER", "REQUESTED", "direct_url.json"}
