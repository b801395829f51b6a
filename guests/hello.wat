;; hello: one static page. It takes nothing and writes nothing: what a request costs at least.
(module
  (memory (export "memory") 1)
  ;; reply: status, content type, fields, body, error
  (data (i32.const 1024) (i32 200 2048 10 0 0 2112 76 0 0))
  (data (i32.const 2048) "text/plain")
  (data (i32.const 2112)
    "\tthis is a very\n"
    "\tlong string if I had the\n"
    "\tenergy to type more and more ...\n")
  (func (export "dayfly_handle") (param $frame i32) (result i32)
    (i32.const 1024)))
