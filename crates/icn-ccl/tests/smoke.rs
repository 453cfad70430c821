use icn_ccl::{check, NoModules};
#[test] fn smoke() {
 let src = std::fs::read_to_string("/tmp/smoke.ccl").unwrap();
 let c = check(&src, &NoModules);
 for d in &c.diagnostics { let (l, col) = c.sources.position(d.span()); println!("{l}:{col} {d}"); }
 if let Some(p) = &c.program { for t in &p.tests { println!("{}: {:?}", t.name, icn_ccl::interp::call(p, t.function, &icn_ccl::Value::Unit)); } }
}
