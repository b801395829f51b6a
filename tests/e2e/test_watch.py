"""`dayfly serve DIR...` while its directories change."""

import shutil
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dayfly.admin.client import Client
from tests.conftest import HELLO_WAT
from tests.e2e.conftest import Serve, Server

WASM = 'tier = "wasm"\n'


def eventually(check: Callable[[], bool], server: Server, seconds: float = 60) -> None:
    """Ask until it is so."""
    deadline = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < deadline, server.log


def tenant(parent: Path, name: str, text: str = "hello") -> Path:
    """Make a tenant directory appear at once."""
    aside = parent / f".{name}"
    aside.mkdir(parents=True)
    (aside / "app.wat").write_text(HELLO_WAT.replace('"hello"', f'"{text:<5}"'), encoding="utf-8")
    (aside / "dayfly.toml").write_text(WASM, encoding="utf-8")
    return aside.rename(parent / name)


def test_changed_new_and_removed_directories_are_picked_up(serve: Serve, tmp_path: Path) -> None:
    """While the server runs; a failure leaves what was there."""
    tenants = tmp_path / "tenants"
    shop = tenant(tenants, "shop")
    with serve(tenants) as server:

        def body(name: str) -> bytes:
            answer = server.get(host=f"{name}.localhost")
            return answer.body if answer.status == 200 else b""

        assert body("shop") == b"hello"
        app = shop / "app.wat"
        app.write_text(HELLO_WAT.replace('"hello"', '"HELLO"'), encoding="utf-8")
        eventually(lambda: body("shop") == b"HELLO", server)
        app.write_text("(module (nonsense))", encoding="utf-8")
        eventually(lambda: "shop is not live: " in server.log, server)
        assert "tenant `shop` serves as before" in server.log
        assert body("shop") == b"HELLO"
        tenant(tenants, "blog", "blog")
        eventually(lambda: body("blog") == b"blog ", server)
        shutil.rmtree(shop)
        eventually(lambda: server.get(host="shop.localhost").status == 404, server)
        assert body("blog") == b"blog "
        assert server.stop() == 0
    with serve(tenants) as server:
        assert server.get(host="shop.localhost").status == 404
        assert server.get(host="blog.localhost").status == 200


def directories(data_directory: Path) -> Any:
    """Return how the directories stand that a server watches."""
    with Client.open(None, None, data_directory) as client:
        return client.get("/v1/directories")


def test_watching_can_be_turned_off(serve: Serve, make_tenant: Callable[..., Path], tmp_path: Path) -> None:
    """Then no directory is reported to be watched, and a change waits for the next start."""
    directory = make_tenant()
    with serve(directory, "--no-watch") as server:
        assert directories(tmp_path / ".dayfly") == []
        (directory / "app.wat").write_text(HELLO_WAT.replace('"hello"', '"HELLO"'), encoding="utf-8")
        assert server.stop() == 0
        assert server.log.count(" live, ") == 1
    with serve(directory) as server:
        assert server.get().body == b"HELLO"
        assert directories(tmp_path / ".dayfly") == [{"directory": str(directory), "tenant": "hello", "problem": ""}]
