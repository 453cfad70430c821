;; Never ends. Ends it: fuel, or the time limit where there is more fuel than time.
(module
  (memory (export "memory") 1)
  (func (export "_start")
    (loop $again (br $again))))
