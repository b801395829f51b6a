;; counter: counts its requests in a global and in memory, and answers both. Every request is the first one, so it
;; always answers 1 and 1.
(module
  (memory (export "memory") 1)
  (global $count (mut i32) (i32.const 0))
  ;; reply: status, content type, fields, body, error
  (data (i32.const 1024) (i32 200 2048 10 0 0 2112 0 0 0))
  (data (i32.const 2048) "text/plain")
  (func (export "dayfly_handle") (param $frame i32) (result i32)
    (local $end i32)
    (global.set $count (i32.add (global.get $count) (i32.const 1)))
    (i32.store (i32.const 3072) (i32.add (i32.load (i32.const 3072)) (i32.const 1)))
    (local.set $end (call $decimal (global.get $count) (i32.const 2112)))
    (local.set $end (call $decimal (i32.load (i32.const 3072)) (local.get $end)))
    (i32.store (i32.const 1048) (i32.sub (local.get $end) (i32.const 2112)))
    (i32.const 1024))

  ;; Writes $value in decimal and a line feed at $at; gives the end.
  (func $decimal (param $value i32) (param $at i32) (result i32)
    (local $divisor i32)
    (local.set $divisor (i32.const 1))
    (block $found
      (loop $next
        (br_if $found
          (i32.lt_u (i32.div_u (local.get $value) (local.get $divisor)) (i32.const 10)))
        (local.set $divisor (i32.mul (local.get $divisor) (i32.const 10)))
        (br $next)))
    (loop $next
      (i32.store8 (local.get $at)
        (i32.add (i32.const 48) (i32.rem_u (i32.div_u (local.get $value) (local.get $divisor)) (i32.const 10))))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $next (local.tee $divisor (i32.div_u (local.get $divisor) (i32.const 10)))))
    (i32.store8 (local.get $at) (i32.const 10))
    (i32.add (local.get $at) (i32.const 1)))
)
