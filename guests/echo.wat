;; echo: gives the request back as text: method, path and query, one line for each header field, an empty line, the
;; content. What of the content is not inline is pulled with `body_read`.
(module
  (import "dayfly" "body_read" (func $body_read (param $offset i32) (param $to i32) (param $length i32) (result i32)))
  (memory (export "memory") 1)
  (global $end (mut i32) (i32.const 16384)) ;; where the answer ends; it begins at 16384
  ;; reply: status, content type, fields, body, error
  (data (i32.const 1024) (i32 200 2048 10 0 0 16384 0 0 0))
  (data (i32.const 2048) "text/plain")
  (data (i32.const 2064) " " "?" ": " "\n")
  (data (i32.const 2128) "no memory left for the answer")

  (func (export "dayfly_takes") (result i32)
    (i32.const 31)) ;; method, path, query, headers, body

  (func (export "dayfly_handle") (param $frame i32) (result i32)
    (if (i32.eqz (call $reserve (local.get $frame)))
      (then
        (i32.store (i32.const 1024) (i32.const 0))
        (i64.store align=4 (i32.const 1052) (i64.const 0x1d_00000850)) ;; error: 29 octets at 2128
        (return (i32.const 1024))))
    (call $append_pair (local.get $frame))
    (call $append (i32.const 2064) (i32.const 1))
    (call $append_pair (i32.add (local.get $frame) (i32.const 8)))
    (if (i32.load offset=20 (local.get $frame))
      (then
        (call $append (i32.const 2065) (i32.const 1))
        (call $append_pair (i32.add (local.get $frame) (i32.const 16)))))
    (call $append (i32.const 2068) (i32.const 1))
    (call $append_fields (i32.load offset=24 (local.get $frame)) (i32.load offset=28 (local.get $frame)))
    (call $append (i32.const 2068) (i32.const 1))
    (call $append_pair (i32.add (local.get $frame) (i32.const 32)))
    (call $append_rest (i32.load offset=36 (local.get $frame)) (i32.load offset=40 (local.get $frame)))
    (i32.store (i32.const 1048) (i32.sub (global.get $end) (i32.const 16384)))
    (i32.const 1024))

  ;; Grows the memory for a head of 64 KiB and the content; 0 if that is refused.
  (func $reserve (param $frame i32) (result i32)
    (i32.ne
      (memory.grow (i32.shr_u (i32.add (i32.load offset=40 (local.get $frame)) (i32.const 131071)) (i32.const 16)))
      (i32.const -1)))

  (func $append (param $from i32) (param $length i32)
    (memory.copy (global.get $end) (local.get $from) (local.get $length))
    (global.set $end (i32.add (global.get $end) (local.get $length))))

  ;; What a (pointer, length) pair refers to.
  (func $append_pair (param $pair i32)
    (call $append (i32.load (local.get $pair)) (i32.load offset=4 (local.get $pair))))

  (func $append_fields (param $field i32) (param $count i32)
    (block $done
      (loop $next
        (br_if $done (i32.eqz (local.get $count)))
        (call $append_pair (local.get $field))
        (call $append (i32.const 2066) (i32.const 2))
        (call $append_pair (i32.add (local.get $field) (i32.const 8)))
        (call $append (i32.const 2068) (i32.const 1))
        (local.set $field (i32.add (local.get $field) (i32.const 16)))
        (local.set $count (i32.sub (local.get $count) (i32.const 1)))
        (br $next))))

  (func $append_rest (param $offset i32) (param $total i32)
    (local $read i32)
    (block $done
      (loop $next
        (br_if $done (i32.ge_u (local.get $offset) (local.get $total)))
        (local.set $read
          (call $body_read (local.get $offset) (global.get $end) (i32.sub (local.get $total) (local.get $offset))))
        (br_if $done (i32.eqz (local.get $read)))
        (global.set $end (i32.add (global.get $end) (local.get $read)))
        (local.set $offset (i32.add (local.get $offset) (local.get $read)))
        (br $next)))))
