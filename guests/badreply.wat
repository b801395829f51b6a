;; badreply: answers with a reply that breaks a rule; the first number in the query says which one (0, a good reply).
(module
  (memory (export "memory") 2)
  (data (i32.const 512) "text/plain")
  (data (i32.const 528) "ok\n")
  (data (i32.const 544) "out of good luck")
  (data (i32.const 560) "text/plain\0d\0aset-cookie:a") ;; 24
  (data (i32.const 592) "x-good" "a\0d\0ab: c" "x\0ay" "a\00b" "x:y")
  (data (i32.const 624) "content-length" "transfer-encoding" "connection" "chunked" "close" "5")
  ;; fields: name, value
  (data (i32.const 768) (i32 592 6 528 2) ;; x-good: ok
    (i32 0xfffffffc 6 528 2)
    (i32 592 6 0xfffffff0 17)
    (i32 592 6 598 7) ;; x-good: a CR LF b: c
    (i32 605 3 528 2) ;; x LF y: ok
    (i32 592 6 608 3) ;; x-good: a NUL b
    (i32 611 3 528 2) ;; x:y: ok
    (i32 592 0 528 2) ;; : ok
    (i32 624 14 677 1) ;; content-length: 5
    (i32 638 17 665 7) ;; transfer-encoding: chunked
    (i32 655 10 672 5) ;; connection: close
    (i32 592 6 65536 65536)) ;; x-good: 65536 times `a`
  ;; replies: status, content type, fields, body, error
  (data (i32.const 8192)
    (i32 200 512 10 0 0 528 3 0 0) ;; 0: a good reply
    (i32 99 512 10 0 0 528 3 0 0) ;; 1: status 99
    (i32 600 512 10 0 0 528 3 0 0) ;; 2: status 600
    (i32 0 512 10 0 0 528 3 544 16) ;; 3: failed, with a reason
    (i32 0 0 0 0 0 0 0 0 0) ;; 4: failed, without a reason
    (i32 0 0 0 0 0 0 0 0xfffffff0 15) ;; 5: failed, reason outside
    (i32 200 512 10 0 0 0xf0000000 3 0 0) ;; 6: wild content
    (i32 200 512 10 0 0 528 0xffffffff 0 0) ;; 7: huge content
    (i32 200 512 10 0 0 0xfffffff0 32 0 0) ;; 8: content that wraps around
    (i32 200 512 10 0 0 131071 2 0 0) ;; 9: content that ends one octet outside
    (i32 200 0x80000000 10 0 0 528 3 0 0) ;; 10: wild content type
    (i32 200 512 0xffffffff 0 0 528 3 0 0) ;; 11: huge content type
    (i32 200 560 24 0 0 528 3 0 0) ;; 12: content type with CR LF
    (i32 200 512 10 0xfffffff8 1 528 3 0 0) ;; 13: wild fields
    (i32 200 512 10 768 0x10000001 528 3 0 0) ;; 14: as many fields as wrap around
    (i32 200 512 10 784 1 528 3 0 0) ;; 15: field with a wild name
    (i32 200 512 10 800 1 528 3 0 0) ;; 16: field with a value that wraps around
    (i32 200 512 10 816 1 528 3 0 0) ;; 17: CR LF in a value
    (i32 200 512 10 832 1 528 3 0 0) ;; 18: LF in a name
    (i32 200 512 10 848 1 528 3 0 0) ;; 19: NUL in a value
    (i32 200 512 10 864 1 528 3 0 0) ;; 20: colon in a name
    (i32 200 512 10 880 1 528 3 0 0) ;; 21: empty name
    (i32 200 512 10 896 1 528 3 0 0) ;; 22: content-length
    (i32 200 512 10 912 1 528 3 0 0) ;; 23: transfer-encoding
    (i32 200 512 10 928 1 528 3 0 0) ;; 24: connection
    (i32 200 512 10 4096 101 528 3 0 0) ;; 25: 101 good fields
    (i32 200 512 10 944 1 528 3 0 0) ;; 26: a value of 65536 octets
    (i32 204 512 10 0 0 528 3 0 0) ;; 27: content of 204
  )

  (func (export "dayfly_takes") (result i32)
    (i32.const 4)) ;; query

  (func (export "dayfly_init")
    (local $at i32)
    ;; 101 times the first field, and a long value.
    (local.set $at (i32.const 4096))
    (loop $next
      (memory.copy (local.get $at) (i32.const 768) (i32.const 16))
      (local.set $at (i32.add (local.get $at) (i32.const 16)))
      (br_if $next (i32.lt_u (local.get $at) (i32.const 5712))))
    (memory.fill (i32.const 65536) (i32.const 97) (i32.const 65536)))

  (func (export "dayfly_handle") (param $frame i32) (result i32)
    (local $kind i32)
    (local.set $kind (call $number (local.get $frame) (i32.const 0)))
    ;; 28: the record itself lies outside. 29: it ends outside. Others: it wraps around.
    (if (i32.eq (local.get $kind) (i32.const 28)) (then (return (i32.const 0x7ffffff0))))
    (if (i32.eq (local.get $kind) (i32.const 29)) (then (return (i32.const 131064))))
    (if (i32.gt_u (local.get $kind) (i32.const 29)) (then (return (i32.const -8))))
    (i32.add (i32.const 8192) (i32.mul (local.get $kind) (i32.const 36))))

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
