//! Assembles a WebAssembly text file: `wat IN.wat OUT.wasm`. `jobs/build.sh` uses it, so that a fresh
//! machine needs nothing but cargo for the modules that are written as text. It checks no more than
//! that the text is well-formed; some of those modules are wrong on purpose.

use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [from, to] = arguments.as_slice() else {
        eprintln!("usage: wat IN.wat OUT.wasm");
        return ExitCode::from(2);
    };
    match assemble(from, to) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{from}: {error}");
            ExitCode::FAILURE
        }
    }
}

fn assemble(from: &str, to: &str) -> Result<(), Box<dyn std::error::Error>> {
    // Read first: the assembler then reports positions without the path, which is printed once.
    let text = std::fs::read_to_string(from)?;
    let module = wat::Parser::new().parse_str(None, &text)?;
    std::fs::write(to, module)?;
    Ok(())
}
