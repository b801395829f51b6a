"""compression"""
import zlib, gzip, io
def on_client_request():
    data = b"hello hello hello" * 20
    z = zlib.compress(data); g = gzip.compress(data, mtime=0)
    d = zlib.decompressobj()
    f = io.BytesIO()
    with gzip.GzipFile(fileobj=f, mode="wb", mtime=1) as h: h.write(data)
    return repr([zlib.decompress(z) == data, len(z) < 40, gzip.decompress(g) == data, zlib.crc32(data), zlib.adler32(data), d.decompress(z[:10]) + d.decompress(z[10:]) == data, gzip.open(io.BytesIO(f.getvalue())).read() == data])

# GET /
