;; throw: throws an exception and catches it, N times (the first number in the query; 1000), then answers. The query
;; `uncaught` (any that begins with `u`) lets one go uncaught.
(module
  (memory (export "memory") 1)
  (tag $oops (param i32))
  ;; reply: status, content type, fields, body, error
  (data (i32.const 1024) (i32 200 2048 10 0 0 2112 7 0 0))
  (data (i32.const 2048) "text/plain")
  (data (i32.const 2112) "caught\n")

  (func (export "dayfly_takes") (result i32)
    (i32.const 4)) ;; query

  (func (export "dayfly_handle") (param $frame i32) (result i32)
    (local $left i32)
    (if (i32.load offset=20 (local.get $frame))
      (then
        (if (i32.eq (i32.load8_u (i32.load offset=16 (local.get $frame))) (i32.const 117)) ;; u
          (then (throw $oops (i32.const 0))))))
    (local.set $left (call $number (local.get $frame) (i32.const 1000)))
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $left)))
        (local.set $left (call $caught (local.get $left)))
        (br $next)))
    (i32.const 1024))

  ;; Throws $value and gives back what it caught, less one.
  (func $caught (param $value i32) (result i32)
    (block $handler (result i32)
      (try_table (catch $oops $handler)
        (call $throw (local.get $value)))
      unreachable)
    (i32.sub (i32.const 1)))

  (func $throw (param $value i32)
    (throw $oops (local.get $value)))

  ;; The first number in the query, or $default.
  (func $number (param $frame i32) (param $default i32) (result i32)
    (local $at i32) (local $end i32) (local $digit i32) (local $value i32) (local $seen i32)
    (local.set $at (i32.load offset=16 (local.get $frame)))
    (local.set $end (i32.add (local.get $at) (i32.load offset=20 (local.get $frame))))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $at) (local.get $end)))
        (local.set $digit (i32.sub (i32.load8_u (local.get $at)) (i32.const 48)))
        (local.set $at (i32.add (local.get $at) (i32.const 1)))
        (if (i32.lt_u (local.get $digit) (i32.const 10))
          (then
            (local.set $value (i32.add (i32.mul (local.get $value) (i32.const 10)) (local.get $digit)))
            (local.set $seen (i32.const 1)))
          (else (br_if $done (local.get $seen))))
        (br $next)))
    (select (local.get $value) (local.get $default) (local.get $seen)))
)
