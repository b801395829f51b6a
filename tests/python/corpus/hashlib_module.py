"""digests"""
import hashlib, hmac
def on_client_request(body):
    h = hashlib.sha256(); h.update(b"a"); h.update(b"b")
    return "\n".join([h.hexdigest(), hashlib.md5(b"x").hexdigest(), hashlib.sha1(b"x").hexdigest(), hashlib.sha512(b"x").hexdigest(), hashlib.sha3_256(b"x").hexdigest(), hashlib.blake2s(b"x", key=b"k").hexdigest(), hmac.new(b"k", b"m", hashlib.sha256).hexdigest(), hashlib.pbkdf2_hmac("sha256", b"p", b"s", 10).hex(), hashlib.new("sha224", b"x").hexdigest(), hashlib.shake_128(b"x").hexdigest(8), str(hmac.compare_digest("a", "a"))])

# GET /
