"""Runs programs of the corpus in this CPython: each request in a process forked from the one that loaded the program.

Reads a list of `{"source", "requests"}` as JSON; writes a list of answers for each program.
"""

import contextlib
import io
import json
import os
import sys
import tempfile
from pathlib import Path
from typing import Any

from dayfly.handler.client import Client
from dayfly.handler.native import ProgramFailed


def forked(work: Any) -> Any:
    """Do something in a process of its own, and return what it gives."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reader)
        with os.fdopen(writer, "w") as pipe:
            json.dump(work(), pipe)
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        result = json.load(pipe)
    os.waitpid(child, 0)
    return result


def program(job: dict[str, Any]) -> list[dict[str, Any]]:
    """Load a program and answer its requests."""
    with tempfile.TemporaryDirectory() as directory:
        os.chdir(directory)
        file = Path(directory, "app.py")
        file.write_text(job["source"], encoding="utf-8")
        with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            try:
                client = Client.load(file)
            except Exception as error:  # noqa: BLE001 - whatever a program raises
                return [{"status": 0, "text": repr(error), "log": []} for _ in job["requests"]]
        return [forked(lambda line=line: answer(client, *line)) for line in job["requests"]]


def answer(client: Client, method: str, target: str, body: str) -> dict[str, Any]:
    """Answer one request; an exception is a 500 with the last line of its traceback."""
    log = io.StringIO()
    with contextlib.redirect_stdout(log), contextlib.redirect_stderr(io.StringIO()):
        try:
            reply = client.request(method, target, body=body)
        except ProgramFailed as failed:
            last = str(failed).splitlines()[-1]
            return {"status": 500, "text": last, "log": log.getvalue().splitlines()}
    found = {"status": reply.status, "text": reply.body.decode("latin-1"), "log": log.getvalue().splitlines()}
    return found | {"content_type": reply.headers.get("content-type")}


def main() -> None:
    """Answer all jobs."""
    jobs = json.load(sys.stdin)
    json.dump([forked(lambda job=job: program(job)) for job in jobs], sys.stdout)


if __name__ == "__main__":
    main()
