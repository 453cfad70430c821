//! Runs the tests of a contract.
use crate::{
    fault::{FaultCode, Stop},
    interp,
    ir::{Program, Test, TestEnd},
    value::Value,
};

/// Whether a test ended as it should, and if not, how instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// As it should.
    Passed,
    /// Not as it should.
    Failed {
        /// What went wrong.
        message: String,
        /// How it ended, if not by itself.
        stop: Option<Stop>,
    },
}

/// What the end of a run says about a test; `end` may come from the interpreter or from a module.
pub fn judge(test: &Test, end: &Result<Value, Stop>) -> Verdict {
    let message = match (&test.end, end) {
        (TestEnd::Passes, Ok(_)) => return Verdict::Passed,
        (TestEnd::Refuses(part), Err(Stop::Refusal { reason, .. })) if reason.contains(part) => {
            return Verdict::Passed;
        }
        (TestEnd::Faults(code), Err(Stop::Fault { code: found, .. })) if code == found => {
            return Verdict::Passed;
        }
        (
            TestEnd::Passes,
            Err(Stop::Fault {
                code: FaultCode::Expectation,
                ..
            }),
        ) => "an expectation does not hold".to_owned(),
        (TestEnd::Passes, Err(stop)) => format!("it should have passed; {stop}"),
        (TestEnd::Refuses(part), Ok(_)) => format!("it should have been refused with \"{part}\", and passed"),
        (TestEnd::Refuses(part), Err(stop)) => format!("it should have been refused with \"{part}\"; {stop}"),
        (TestEnd::Faults(code), Ok(_)) => {
            format!("it should have ended with the fault {}, and passed", code.word())
        }
        (TestEnd::Faults(code), Err(stop)) => {
            format!("it should have ended with the fault {}; {stop}", code.word())
        }
    };
    Verdict::Failed {
        message,
        stop: end.as_ref().err().cloned(),
    }
}

/// Runs each test of the contract in the interpreter.
pub fn run_tests(program: &Program) -> impl Iterator<Item = (&Test, Verdict)> {
    program.tests.iter().map(|test| {
        let end = interp::call(program, test.function, &Value::Unit);
        (test, judge(test, &end))
    })
}
