//! The language from the outside.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "helpers of tests: a panic is how a test fails"
)]
mod choices;
mod differential;
mod host;
mod programs;
#[test] fn smoke() {
 use icn_ccl::*;
 let src = std::fs::read_to_string("/tmp/smoke.ccl").unwrap();
 let c = check(&src, &NoModules);
 for d in &c.diagnostics { let (l, col) = c.sources.position(d.span()); println!("{l}:{col} {d}"); }
 let p = c.program.unwrap();
 let bytes = compile(&p, Build::WithTests).unwrap();
 println!("{} bytes", bytes.len());
 let mut h = host::Host::new(&bytes);
 for (i, t) in p.tests.iter().enumerate() { let a = icn_ccl::interp::call(&p, t.function, &Value::Unit); let b = h.call(&p, &format!("test:{i}"), t.function, &Value::Unit); println!("{}: {a:?} {b:?}", t.name); assert_eq!(a, b); }
}
