;; Recursion that uses no memory, so that the stack is what ends it: alone, and with a call of the host in each frame.
(module $recursion
  (import "wasi_snapshot_preview1" "clock_time_get" (func $now (param i32 i64 i32) (result i32)))
  (memory (export "memory") 1)
  (func $recurse (export "recurse") (result i64)
    (i64.add (call $recurse) (i64.const 1)))
  (func $recurse_asking (export "recurse_asking") (result i64)
    (drop (call $now (i32.const 1) (i64.const 1) (i32.const 0)))
    (i64.add (call $recurse_asking) (i64.const 1))))
