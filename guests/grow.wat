;; grow: grows its memory by N pages of 64 KiB at a time (the first number in the query; 1), until that is refused,
;; writes to each new piece, and answers how many pages it has now.
(module
  (memory (export "memory") 1)
  ;; reply: status, content type, fields, body, error
  (data (i32.const 1024) (i32 200 2048 10 0 0 2112 0 0 0))
  (data (i32.const 2048) "text/plain")

  (func (export "dayfly_takes") (result i32)
    (i32.const 4)) ;; query

  (func (export "dayfly_handle") (param $frame i32) (result i32)
    (local $step i32) (local $before i32)
    (local.set $step (call $number (local.get $frame) (i32.const 1)))
    (block $refused
      (br_if $refused (i32.eqz (local.get $step)))
      (loop $next
        (local.set $before (memory.grow (local.get $step)))
        (br_if $refused (i32.eq (local.get $before) (i32.const -1)))
        (i32.store (i32.shl (local.get $before) (i32.const 16)) (i32.const 7))
        (br $next)))
    (i32.store (i32.const 1048) (i32.sub (call $decimal (memory.size) (i32.const 2112)) (i32.const 2112)))
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
