;; Takes memory, 64 KiB at a time, for ever. Stops it: the limit on memory refuses each growth from
;; some point on (the outcome counts them), and fuel ends it.
(module
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $again
      (drop (memory.grow (i32.const 1)))
      (br $again))))
