;; log: writes one line while it is frozen and N lines in each request (the first number in the query; 100), level by
;; level, then answers. More than a tenant may write is cut and counted.
(module
  (import "dayfly" "log" (func $log (param $level i32) (param $from i32) (param $length i32)))
  (memory (export "memory") 1)
  ;; reply: status, content type, fields, body, error
  (data (i32.const 1024) (i32 200 2048 10 0 0 2112 7 0 0))
  (data (i32.const 2048) "text/plain")
  (data (i32.const 2112) "logged\n")
  (data (i32.const 2176) "ready")
  (data (i32.const 2192) "line ")

  (func (export "dayfly_takes") (result i32)
    (i32.const 4)) ;; query

  (func (export "dayfly_init")
    (call $log (i32.const 1) (i32.const 2176) (i32.const 5)))

  (func (export "dayfly_handle") (param $frame i32) (result i32)
    (local $line i32) (local $lines i32) (local $end i32)
    (local.set $lines (call $number (local.get $frame) (i32.const 100)))
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $line) (local.get $lines)))
        ;; Without the line feed.
        (local.set $end (i32.sub (call $decimal (local.get $line) (i32.const 2197)) (i32.const 1)))
        (call $log
          (i32.rem_u (local.get $line) (i32.const 5))
          (i32.const 2192)
          (i32.sub (local.get $end) (i32.const 2192)))
        (local.set $line (i32.add (local.get $line) (i32.const 1)))
        (br $next)))
    (i32.const 1024))

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
