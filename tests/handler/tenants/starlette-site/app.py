"""What a Starlette application commonly does, in coroutines and in plain functions."""

import asyncio
import contextlib
import contextvars
import os

import anyio
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.concurrency import run_in_threadpool
from starlette.endpoints import HTTPEndpoint
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.middleware.cors import CORSMiddleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.middleware.sessions import SessionMiddleware
from starlette.responses import (
    FileResponse,
    HTMLResponse,
    JSONResponse,
    PlainTextResponse,
    RedirectResponse,
    Response,
    StreamingResponse,
)
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

HERE = os.path.dirname(os.path.abspath(__file__))
templates = Jinja2Templates(directory=os.path.join(HERE, "templates"))
who = contextvars.ContextVar("who", default="nobody")


@contextlib.asynccontextmanager
async def lifespan(app):
    await asyncio.sleep(0.01)
    yield {"started": "yes"}


async def index(request):
    return PlainTextResponse("hello from Starlette")


def plain_function(request):
    with contextlib.suppress(RuntimeError):
        asyncio.get_running_loop()
        return PlainTextResponse("in the loop")
    return PlainTextResponse(f"from a thread, {request.query_params.get('name')}")


async def as_json(request):
    return JSONResponse({"text": "ü", "numbers": [1, 2.5, None]})


async def state(request):
    return PlainTextResponse(request.state.started)


async def number(request):
    return JSONResponse({"twice": request.path_params["number"] * 2})


async def rest(request):
    return PlainTextResponse(request.path_params["rest"])


async def query(request):
    return JSONResponse({"many": request.query_params.multi_items(), "raw": request.url.query})


async def echo(request):
    return JSONResponse(
        {
            "method": request.method,
            "path": request.url.path,
            "root": request.scope.get("root_path"),
            "host": request.headers["host"],
            "scheme": request.url.scheme,
            "agent": request.headers.get("user-agent"),
            "many": request.headers.getlist("x-many"),
            "body": (await request.body()).decode("latin-1"),
        }
    )


async def parse(request):
    return JSONResponse({"got": await request.json()})


async def form(request):
    async with request.form() as form:
        return JSONResponse(form.multi_items())


async def upload(request):
    async with request.form() as form:
        file = form["file"]
        content = await file.read()
        return JSONResponse(
            {"name": file.filename, "type": file.content_type, "bytes": len(content), "text": form.get("text")}
        )


async def stream_in(request):
    total = 0
    async for piece in request.stream():
        total += len(piece)
    return PlainTextResponse(str(total))


def page(request):
    return templates.TemplateResponse(request, "page.html", {"items": ["<one>", "two"]})


async def page_async(request):
    return templates.TemplateResponse(request, "page.html", {"items": []}, status_code=202)


async def cookies(request):
    response = JSONResponse(request.cookies)
    response.set_cookie("plain", "value", max_age=60)
    response.set_cookie("strict", "x", secure=True, httponly=True, samesite="strict", path="/cookies")
    response.delete_cookie("old")
    return response


async def count(request):
    request.session["count"] = request.session.get("count", 0) + 1
    return PlainTextResponse(str(request.session["count"]))


async def away(request):
    return RedirectResponse(request.url_for("number", number=3), 303)


async def stream(request):
    async def generate():
        for n in range(5):
            yield f"{n},"
            await asyncio.sleep(0)

    return StreamingResponse(generate(), media_type="text/plain", headers={"X-Kind": "stream"})


def stream_plain(request):
    return StreamingResponse((f"{n};" for n in range(5)), media_type="text/plain")


async def tasks(request):
    async def after(seconds, value):
        await asyncio.sleep(seconds)
        return value

    gathered = await asyncio.gather(after(0.004, "a"), after(0.002, "b"))
    async with asyncio.TaskGroup() as group:
        first = group.create_task(after(0.001, 1))
        second = group.create_task(after(0, 2))
    try:
        await asyncio.wait_for(asyncio.Event().wait(), 0.002)
        late = "came"
    except TimeoutError:
        late = "timed out"
    try:
        async with asyncio.timeout(0.002):
            await asyncio.sleep(10)
    except TimeoutError:
        late += " twice"
    return JSONResponse([gathered, first.result() + second.result(), late])


async def queue(request):
    queue, lock, out = asyncio.Queue(1), asyncio.Lock(), []

    async def produce():
        for n in range(4):
            await queue.put(n)
        await queue.put(None)

    async def consume():
        while (n := await queue.get()) is not None:
            async with lock:
                out.append(n)

    await asyncio.gather(produce(), consume())
    return JSONResponse(out)


async def context(request):
    who.set("request")

    async def child():
        before = who.get()
        who.set("child")
        return before

    seen = await asyncio.create_task(child())
    in_thread = await asyncio.to_thread(who.get)
    return JSONResponse([seen, who.get(), in_thread])


async def threads(request):
    loop = asyncio.get_running_loop()

    def work(n):
        return n * n

    def run_another_loop():
        async def inner():
            await asyncio.sleep(0)
            return "inner"

        return asyncio.run(inner())

    return JSONResponse(
        [
            await loop.run_in_executor(None, work, 2),
            await asyncio.to_thread(work, 3),
            await run_in_threadpool(work, 4),
            await anyio.to_thread.run_sync(work, 5),
            await asyncio.to_thread(run_another_loop),
        ]
    )


async def groups(request):
    out = []

    async def add(n):
        await anyio.sleep(0.02 * n)
        out.append(n)

    async with anyio.create_task_group() as group:
        for n in (3, 1, 2):
            group.start_soon(add, n)
    with anyio.move_on_after(0.002):
        await anyio.sleep(5)
        out.append("never")
    return JSONResponse(out)


async def background(request):
    done = []
    return PlainTextResponse("and more", background=BackgroundTask(done.append, 1))


async def file(request):
    return FileResponse(os.path.join(HERE, "static", "note.txt"), filename="note.txt")


async def forbidden(request):
    raise HTTPException(403, "not for you", headers={"X-Why": "no"})


async def teapot(request):
    raise KeyError("short and stout")


async def fail(request):
    return 1 / 0


async def large(request):
    return PlainTextResponse("x" * 5000)


async def handle_teapot(request, error):
    return JSONResponse({"error": str(error)}, status_code=418)


class Thing(HTTPEndpoint):
    async def get(self, request):
        return PlainTextResponse("got")

    def post(self, request):
        return Response(b"\x00\xff", media_type="application/octet-stream")


class Sign(BaseHTTPMiddleware):
    async def dispatch(self, request, call_next):
        response = await call_next(request)
        response.headers["X-Signed"] = request.url.path
        return response


async def nested(request):
    return JSONResponse([request.scope["root_path"], request.url.path, str(request.url_for("nested:inner"))])


routes = [
    Route("/", index),
    Route("/plain", plain_function),
    Route("/json", as_json),
    Route("/state", state),
    Route("/number/{number:int}", number, name="number"),
    Route("/files/{rest:path}", rest),
    Route("/query", query),
    Route("/echo", echo, methods=["GET", "POST", "PUT", "DELETE"]),
    Route("/parse", parse, methods=["POST"]),
    Route("/form", form, methods=["POST"]),
    Route("/upload", upload, methods=["POST"]),
    Route("/stream-in", stream_in, methods=["POST"]),
    Route("/page", page),
    Route("/page-async", page_async),
    Route("/cookies", cookies),
    Route("/count", count),
    Route("/away", away),
    Route("/stream", stream),
    Route("/stream-plain", stream_plain),
    Route("/tasks", tasks),
    Route("/queue", queue),
    Route("/context", context),
    Route("/threads", threads),
    Route("/groups", groups),
    Route("/background", background),
    Route("/file", file),
    Route("/forbidden", forbidden),
    Route("/teapot", teapot),
    Route("/fail", fail),
    Route("/large", large),
    Route("/thing", Thing),
    Mount("/nested", routes=[Route("/inner", nested, name="inner")], name="nested"),
    Mount("/static", StaticFiles(directory=os.path.join(HERE, "static")), name="static"),
]

app = Starlette(
    routes=routes,
    lifespan=lifespan,
    exception_handlers={KeyError: handle_teapot},
    middleware=[
        Middleware(CORSMiddleware, allow_origins=["https://example.org"], allow_methods=["*"]),
        Middleware(GZipMiddleware, minimum_size=1000),
        Middleware(SessionMiddleware, secret_key="only for tests"),
        Middleware(Sign),
    ],
)
