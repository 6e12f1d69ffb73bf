;; Waits for a notification that nobody sends: it would hold the thread that runs it.
(module $waits
  (memory 1 1 shared)
  (func (export "wait") (result i32)
    (memory.atomic.wait32 (i32.const 0) (i32.const 0) (i64.const -1))))
