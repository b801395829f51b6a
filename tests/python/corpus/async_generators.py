"""asynchronous iteration"""
import contextlib
async def numbers(n):
    for i in range(n):
        yield i
@contextlib.asynccontextmanager
async def cm(log):
    log.append("in")
    try: yield 1
    finally: log.append("out")
async def on_client_request():
    log = []
    async with cm(log) as x: log.append(x)
    return repr([[x async for x in numbers(3)], log])

# GET /
