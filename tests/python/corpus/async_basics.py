"""coroutines"""
import asyncio
async def work(n):
    await asyncio.sleep(0)
    return n * n
async def on_client_request():
    return repr(await asyncio.gather(*[work(i) for i in range(4)]))

# GET /
