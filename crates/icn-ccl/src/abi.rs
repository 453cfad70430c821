//! How a host and a compiled module talk: addresses, exports, the outcome of a call, the metadata section.
//!
//! A module imports nothing and exports `memory`, `input` and one function per policy and role requirement.
//! For a call, the host asks `input(length)` for an address (0 if the length is too large), writes the
//! encoded input there, and calls the function with the length. The function gives the length of the outcome
//! at [`OUTCOME_ADDRESS`]: a byte [`RESULT`], then the encoded result. Where a call ends otherwise, the
//! module has written the outcome before it executes `unreachable`: [`decode_stop`] reads it. A trap without
//! an outcome is the engine's doing (fuel, its own limits). The instance can be called again either way.
use crate::{
    fault::{FaultCode, Stop},
    limits::{MAX_INPUT_BYTES, MAX_RESULT_BYTES, MAX_TEXT_BYTES},
    source::Span,
    types::{Type, Types},
    value::{Value, ValueError, decode},
};

/// The export that tells where the input goes.
pub const INPUT_EXPORT: &str = "input";
/// The export of the memory.
pub const MEMORY_EXPORT: &str = "memory";
/// What the exports of role requirements begin with; the name of the role follows.
pub const ROLE_PREFIX: &str = "role:";
/// What the exports of tests begin with, in modules that have them; the number of the test follows.
pub const TEST_PREFIX: &str = "test:";
/// What the exports of functions begin with, in modules that have them; the number of the function follows.
pub const FUNCTION_PREFIX: &str = "fn:";
/// The custom section with the [`Metadata`](crate::Metadata).
pub const METADATA_SECTION: &str = "ccl";

/// Where texts of numbers are put together.
pub(crate) const SCRATCH_ADDRESS: i64 = 64;
pub(crate) const SCRATCH_BYTES: i64 = 192;
/// Where the outcome of a call begins.
pub const OUTCOME_ADDRESS: u32 = 256;
/// Bytes that an outcome has at the most.
pub const OUTCOME_BYTES: u32 = 64 * 1024 + 16;
pub(crate) const INPUT_ADDRESS: u32 = OUTCOME_ADDRESS + OUTCOME_BYTES;
pub(crate) const STATIC_ADDRESS: u32 = INPUT_ADDRESS + 64 * 1024;

const _: () = assert!(MAX_INPUT_BYTES == 64 * 1024 && MAX_RESULT_BYTES == 64 * 1024);
const _: () = assert!(MAX_TEXT_BYTES < OUTCOME_BYTES as usize);

/// First byte of an outcome: the result follows.
pub const RESULT: u8 = 0;
/// First byte of an outcome: a refusal.
pub const REFUSAL: u8 = 1;
/// First byte of an outcome: a fault.
pub const FAULT: u8 = 2;
/// First byte of an outcome: the call has not come to its end.
pub const RUNNING: u8 = 3;

/// The result of a function of type `ty` from the outcome that its call left.
///
/// # Errors
/// An outcome that is no result of this type, which only a module that is not ours leaves.
pub fn decode_result(types: &Types, ty: &Type, outcome: &[u8]) -> Result<Value, ValueError> {
    match outcome.split_first() {
        Some((&RESULT, bytes)) => decode(types, ty, bytes),
        _ => Err(ValueError::Form),
    }
}

/// How a call that trapped ended, from the outcome area that it left; none if the engine ended it.
pub fn decode_stop(outcome: &[u8]) -> Option<Stop> {
    let kind = *outcome.first()?;
    let code = *outcome.get(1)?;
    let span = Span::unpack(i64::from_le_bytes(outcome.get(2..10)?.try_into().ok()?))?;
    match kind {
        REFUSAL => {
            let length = u32::from_le_bytes(outcome.get(10..14)?.try_into().ok()?);
            let length = usize::try_from(length)
                .ok()
                .filter(|length| *length <= MAX_TEXT_BYTES)?;
            let reason = String::from_utf8(outcome.get(14..14 + length)?.to_vec()).ok()?;
            Some(Stop::Refusal { reason, span })
        }
        FAULT => {
            let code = FaultCode::from_number(code.into())?;
            Some(Stop::Fault { code, span })
        }
        _ => None,
    }
}
