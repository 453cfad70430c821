;; Asks for something that no job gets. It is refused before it is compiled.
(module
  (import "host" "open_the_door" (func))
  (memory (export "memory") 1)
  (func (export "_start")))
