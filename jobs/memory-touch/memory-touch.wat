;; Takes 16 MiB of memory, writes to all of it, and ends. A trap says that it did not get so much.
(module
  (memory (export "memory") 1)
  (func (export "_start")
    (if (i32.eq (memory.grow (i32.const 255)) (i32.const -1)) (then unreachable))
    (memory.fill (i32.const 0) (i32.const 1) (i32.const 16777216))))
