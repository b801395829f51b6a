"""A Starlette application: coroutines, plain functions, a template, a static file, a start-up."""

import asyncio
import contextlib
from pathlib import Path

from starlette.applications import Starlette
from starlette.responses import JSONResponse, PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles
from starlette.templating import Jinja2Templates

HERE = Path(__file__).parent
templates = Jinja2Templates(directory=HERE / "templates")


@contextlib.asynccontextmanager
async def lifespan(app):
    """Runs while the program is frozen; every request begins with what it leaves."""
    yield {"squares": [n * n for n in range(1000)]}


async def hello(request):
    return PlainTextResponse("hello")


def page(request):
    return templates.TemplateResponse(request, "page.html", {"name": request.query_params.get("name", "world")})


async def square(request):
    return JSONResponse({"square": request.state.squares[request.path_params["n"]]})


async def both(request):
    async def after(seconds, value):
        await asyncio.sleep(seconds)
        return value

    return JSONResponse(await asyncio.gather(after(0.02, "slow"), after(0.01, "fast")))


async def count(request):
    async def numbers():
        for n in range(10):
            yield f"{n}\n"

    return StreamingResponse(numbers(), media_type="text/plain")


app = Starlette(
    lifespan=lifespan,
    routes=[
        Route("/", page),
        Route("/hello", hello),
        Route("/square/{n:int}", square),
        Route("/both", both),
        Route("/count", count),
        Mount("/static", StaticFiles(directory=HERE / "static"), name="static"),
    ],
)
