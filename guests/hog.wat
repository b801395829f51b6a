;; hog: takes all memory it can get, writes to every page of it, then dies of wanting more.
(module
  (memory (export "memory") 1)
  (func (export "dayfly_handle") (param $frame i32) (result i32)
    (local $at i32)
    (loop $next
      (if (i32.ge_u (local.get $at) (i32.shl (memory.size) (i32.const 16)))
        (then (if (i32.eq (memory.grow (i32.const 1)) (i32.const -1)) (then unreachable))))
      (i32.store (local.get $at) (i32.const 1))
      (local.set $at (i32.add (local.get $at) (i32.const 4096)))
      (br $next))
    unreachable))
