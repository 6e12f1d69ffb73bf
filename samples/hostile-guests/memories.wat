;; Growth in one memory, in several, and in tables; and single instructions that take long.
(module $memories
  (memory $a 1)
  (memory $b 1)
  (memory $c 1)
  (memory $d 1)
  (table $t 1 funcref)
  (table $u 1 externref)

  ;; Each grows until it is refused, and answers with what the last one has.
  (func (export "grow_one") (result i32)
    (loop $again (br_if $again (i32.ne (memory.grow $a (i32.const 1)) (i32.const -1))))
    (memory.size $a))
  (func (export "grow_all") (result i32)
    (local $grown i32)
    (loop $again
      (local.set $grown (i32.const 0))
      (if (i32.ne (memory.grow $a (i32.const 1)) (i32.const -1)) (then (local.set $grown (i32.const 1))))
      (if (i32.ne (memory.grow $b (i32.const 1)) (i32.const -1)) (then (local.set $grown (i32.const 1))))
      (if (i32.ne (memory.grow $c (i32.const 1)) (i32.const -1)) (then (local.set $grown (i32.const 1))))
      (if (i32.ne (memory.grow $d (i32.const 1)) (i32.const -1)) (then (local.set $grown (i32.const 1))))
      (br_if $again (local.get $grown)))
    (memory.size $d))
  (func (export "grow_tables") (result i32)
    (local $grown i32)
    (loop $again
      (local.set $grown (i32.const 0))
      (if (i32.ne (table.grow $t (ref.null func) (i32.const 1000)) (i32.const -1)) (then (local.set $grown (i32.const 1))))
      (if (i32.ne (table.grow $u (ref.null extern) (i32.const 1000)) (i32.const -1)) (then (local.set $grown (i32.const 1))))
      (br_if $again (local.get $grown)))
    (i32.add (table.size $t) (table.size $u)))
  (func (export "grow_at_once") (result i32) (memory.grow $a (i32.const 65535)))

  ;; One instruction over `pages` of memory, `times` over.
  (func (export "fill") (param $pages i32) (param $times i32)
    (if (i32.lt_u (memory.size $a) (local.get $pages))
      (then (drop (memory.grow $a (i32.sub (local.get $pages) (memory.size $a))))))
    (loop $again
      (memory.fill $a (i32.const 0) (local.get $times) (i32.shl (local.get $pages) (i32.const 16)))
      (local.set $times (i32.sub (local.get $times) (i32.const 1)))
      (br_if $again (local.get $times)))))
