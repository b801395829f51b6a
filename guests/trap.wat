;; trap: changes memory and a global, then traps. Nothing of it may be left in the next request.
(module
  (memory (export "memory") 1)
  (global $depth (mut i32) (i32.const 5))
  (func (export "dayfly_handle") (param $frame i32) (result i32)
    (global.set $depth (i32.const 6))
    (i32.store (i32.const 8192) (i32.const 1))
    unreachable))
