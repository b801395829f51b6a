;; recurse: calls itself without end. Ends at the stack limit, as a trap.
(module
  (memory (export "memory") 1)
  (func $deeper (export "dayfly_handle") (param $depth i32) (result i32)
    ;; The addition after the call keeps it from being a tail call.
    (i32.add (call $deeper (i32.add (local.get $depth) (i32.const 1))) (i32.const 1))))
