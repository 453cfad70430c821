;; Takes table space, 1000 elements at a time, for ever. Stops it: the limit on memory, which table
;; elements count towards, and fuel ends it.
(module
  (memory (export "memory") 1)
  (table $table 1 funcref)
  (func (export "_start")
    (loop $again
      (drop (table.grow $table (ref.null func) (i32.const 1000)))
      (br $again))))
