//! What every function needs: memory, work, and the two ways to end a call early.
use super::{
    PAGE_BYTES,
    builder::Builder,
    key::Memory,
    low::{
        Code, Do, Global, Low, Var, add, copy, div_unsigned, give, gt_unsigned, load, lt, set, store,
        store_byte, store_word, sub, when,
    },
};
use crate::{
    abi::{FAULT, OUTCOME_ADDRESS, REFUSAL},
    fault::FaultCode,
    limits::MAX_HEAP_BYTES,
};

/// Where the free part of the heap begins.
pub(super) const HEAP: Global = Global(0);
/// Work that is left.
pub(super) const WORK: Global = Global(1);
/// Where the input is read, and then the outcome written.
pub(super) const CURSOR: Global = Global(2);
/// Where the input ends.
pub(super) const INPUT_END: Global = Global(3);
/// Where the heap begins.
pub(super) const HEAP_START: Global = Global(4);

/// Pages that memory grows by at the least.
const GROW_PAGES: i64 = 8;

pub(super) fn code(builder: &mut Builder<'_>, helper: Memory) -> Code {
    match helper {
        Memory::Allocate => allocate(builder),
        Memory::Work => work(builder),
        Memory::Fault => fault_code(),
        Memory::Refuse => refuse(),
    }
}

/// Ends the call with a fault.
pub(super) fn fault(builder: &mut Builder<'_>, code: FaultCode, site: impl Into<Low>) -> Vec<Do> {
    let call = builder.call(Memory::Fault, [Low::Int(code as i64), site.into()]);
    vec![Do::Forget(call), Do::Trap]
}

fn allocate(builder: &mut Builder<'_>) -> Code {
    let (bytes, site, address, end, missing) = (Var(0), Var(1), Var(2), Var(3), Var(4));
    let full = fault(builder, FaultCode::Memory, site);
    let grow = vec![
        // Some more than is missing, or else as much as there may be.
        set(
            missing,
            div_unsigned(sub(end, mul_pages(Low::MemoryPages)), PAGE_BYTES),
        ),
        when(
            lt(Low::GrowMemory(Box::new(add(missing, GROW_PAGES))), 0),
            vec![when(
                lt(Low::GrowMemory(Box::new(add(missing, 1))), 0),
                full.clone(),
            )],
        ),
    ];
    let body = vec![
        set(address, HEAP),
        set(end, add(address, bytes)),
        when(gt_unsigned(sub(end, HEAP_START), MAX_HEAP_BYTES), full),
        when(gt_unsigned(end, mul_pages(Low::MemoryPages)), grow),
        Do::SetGlobal(HEAP, end.into()),
        give(address),
    ];
    Code::new(2, 5, body)
}

fn mul_pages(pages: Low) -> Low {
    super::low::mul(pages, PAGE_BYTES)
}

fn work(builder: &mut Builder<'_>) -> Code {
    let (units, site) = (Var(0), Var(1));
    let spent = fault(builder, FaultCode::Work, site);
    let body = vec![Do::SetGlobal(WORK, sub(WORK, units)), when(lt(WORK, 0), spent)];
    Code::new(2, 2, body)
}

fn end_of_call(kind: u8, code: impl Into<Low>, site: Var) -> Vec<Do> {
    let outcome = i64::from(OUTCOME_ADDRESS);
    vec![
        store_byte(outcome, 0, i64::from(kind)),
        store_byte(outcome, 1, code),
        store(outcome, 2, site),
    ]
}

fn fault_code() -> Code {
    let (code, site) = (Var(0), Var(1));
    let mut body = end_of_call(FAULT, code, site);
    body.push(Do::Trap);
    Code::new(2, 2, body)
}

fn refuse() -> Code {
    let (text, site) = (Var(0), Var(1));
    let outcome = i64::from(OUTCOME_ADDRESS);
    let mut body = end_of_call(REFUSAL, 0, site);
    body.push(store_word(outcome, 10, load(text, 0)));
    body.push(copy(outcome + 14, add(text, 8), load(text, 0)));
    body.push(Do::Trap);
    Code::new(2, 2, body)
}
