//! What the host calls.
use super::{
    builder::Builder,
    key::Key,
    low::{Calling, Code, Do, Low, Var, choose, gt, ne, set, store_byte, sub, when},
    memory::{CURSOR, HEAP, HEAP_START, INPUT_END, WORK, fault},
};
use crate::{
    abi::{INPUT_ADDRESS, OUTCOME_ADDRESS, RESULT, RUNNING},
    fault::FaultCode,
    ir::FunctionId,
    limits::{MAX_INPUT_BYTES, MAX_WORK},
    types::Type,
};

/// The length that the host gives; its parameter itself is an `i32`.
const LENGTH: Var = Var(1);

fn outer(locals: u32, body: Vec<Do>) -> Code {
    Code {
        calling: Calling::Outer,
        params: 1,
        locals,
        body,
    }
}

fn most_input() -> i64 {
    i64::try_from(MAX_INPUT_BYTES).expect("the limit is small")
}

/// Where an input of that length goes; 0 if it is too long.
pub(super) fn input() -> Code {
    let address = i64::from(INPUT_ADDRESS);
    outer(2, vec![Do::Return(choose(gt(LENGTH, most_input()), 0, address))])
}

/// Reads the input, calls the function, writes its result.
pub(super) fn call(builder: &mut Builder<'_>, id: FunctionId) -> Code {
    let result = Var(2);
    let function = &builder.program.functions[id];
    let (params, result_type, span) = (function.params, function.result.clone(), function.span);
    let input_type: Option<Type> = function.locals.first().filter(|_| params == 1).cloned();
    let (input, outcome) = (i64::from(INPUT_ADDRESS), i64::from(OUTCOME_ADDRESS));
    let nowhere = || Low::Int(0);

    let mut body = vec![
        store_byte(outcome, 0, i64::from(RUNNING)),
        Do::SetGlobal(HEAP, HEAP_START.into()),
        Do::SetGlobal(WORK, Low::Int(MAX_WORK)),
        Do::SetGlobal(CURSOR, Low::Int(input)),
        when(
            gt(LENGTH, most_input()),
            fault(builder, FaultCode::Input, nowhere()),
        ),
        Do::SetGlobal(INPUT_END, super::low::add(input, LENGTH)),
    ];
    let args = match &input_type {
        Some(ty) => {
            let value = builder.call(Key::Decode(ty.clone()), []);
            body.push(set(result, value));
            vec![result.into()]
        }
        None => Vec::new(),
    };
    body.push(when(
        ne(CURSOR, INPUT_END),
        fault(builder, FaultCode::Input, nowhere()),
    ));
    body.push(set(result, Low::Call(builder.index(Key::User(id)), args)));
    body.push(Do::SetGlobal(CURSOR, Low::Int(outcome + 1)));
    let written = builder.call(Key::Encode(result_type), [result.into(), Low::Int(span.pack())]);
    body.push(Do::Forget(written));
    body.push(store_byte(outcome, 0, i64::from(RESULT)));
    body.push(Do::Return(sub(CURSOR, outcome)));
    outer(3, body)
}
