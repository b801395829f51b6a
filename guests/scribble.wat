;; scribble: writes over all of its memory, its own data and globals too, then answers from what it wrote last.
(module
  (memory (export "memory") 16)
  (global $marker (mut i64) (i64.const 0x1122334455667788))
  (data (i32.const 1024) "this is gone after the first half of a request")
  (func (export "dayfly_handle") (param $frame i32) (result i32)
    (local $at i32) (local $end i32)
    (local.set $end (i32.shl (memory.size) (i32.const 16)))
    (loop $next
      (i64.store (local.get $at) (i64.xor (global.get $marker) (i64.extend_i32_u (local.get $at))))
      (local.set $at (i32.add (local.get $at) (i32.const 8)))
      (br_if $next (i32.lt_u (local.get $at) (local.get $end))))
    (global.set $marker (i64.const -1))
    (i32.store (i32.const 0) (i32.const 200))
    (i32.store (i32.const 4) (i32.const 0)) ;; no content type
    (i32.store (i32.const 8) (i32.const 0))
    (i32.store (i32.const 12) (i32.const 0)) ;; no fields
    (i32.store (i32.const 16) (i32.const 0))
    (i32.store (i32.const 20) (i32.const 64)) ;; the first number that was written at or after 64
    (i32.store (i32.const 24) (i32.const 8))
    (i32.const 0)))
