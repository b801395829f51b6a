;; bulk: fills 16 MiB again and again (all memory a default tenant may have) and never answers. Ends at the CPU limit;
;; a fill that cannot be interrupted would hold up every neighbour.
(module
  (memory (export "memory") 256)
  (func (export "dayfly_handle") (param $frame i32) (result i32)
    (local $value i32)
    (loop $again
      (local.set $value (i32.add (local.get $value) (i32.const 1)))
      (memory.fill (i32.const 0) (local.get $value) (i32.const 0x1000000))
      (br $again))
    unreachable))
