"""tasks, queues and time limits"""
import asyncio
async def producer(q):
    for i in range(3): await q.put(i)
    await q.put(None)
async def consumer(q, out):
    while (x := await q.get()) is not None: out.append(x)
async def on_client_request():
    q, out = asyncio.Queue(1), []
    async with asyncio.TaskGroup() as g:
        g.create_task(producer(q)); g.create_task(consumer(q, out))
    try: await asyncio.wait_for(asyncio.sleep(5), 0.001)
    except TimeoutError: out.append("timeout")
    t = asyncio.create_task(asyncio.sleep(10)); t.cancel()
    try: await t
    except asyncio.CancelledError: out.append("cancelled")
    return repr(out)

# GET /
