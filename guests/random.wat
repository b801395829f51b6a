;; random: answers with 16 random octets in hexadecimal digits.
(module
  (import "dayfly" "random" (func $random (param $to i32) (param $length i32)))
  (memory (export "memory") 1)
  ;; reply: status, content type, fields, body, error
  (data (i32.const 1024) (i32 200 2048 10 0 0 2112 33 0 0))
  (data (i32.const 2048) "text/plain")
  (data (i32.const 2064) "0123456789abcdef")
  (func (export "dayfly_handle") (param $frame i32) (result i32)
    (local $index i32) (local $octet i32)
    (call $random (i32.const 2096) (i32.const 16))
    (loop $next
      (local.set $octet (i32.load8_u offset=2096 (local.get $index)))
      (call $digit (i32.shl (local.get $index) (i32.const 1)) (i32.shr_u (local.get $octet) (i32.const 4)))
      (call $digit
        (i32.add (i32.shl (local.get $index) (i32.const 1)) (i32.const 1))
        (i32.and (local.get $octet) (i32.const 15)))
      (local.set $index (i32.add (local.get $index) (i32.const 1)))
      (br_if $next (i32.lt_u (local.get $index) (i32.const 16))))
    (i32.store8 (i32.const 2144) (i32.const 10))
    (i32.const 1024))

  (func $digit (param $index i32) (param $value i32)
    (i32.store8 offset=2112 (local.get $index) (i32.load8_u offset=2064 (local.get $value)))))
