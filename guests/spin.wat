;; spin: never answers. Ends at the CPU limit.
(module
  (memory (export "memory") 1)
  (func (export "dayfly_handle") (param $frame i32) (result i32)
    (loop $forever (br $forever))
    unreachable))
