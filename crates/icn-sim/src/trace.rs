//! What a run says of itself as it goes: lines with the virtual time.
use commonware_utils::sync::Mutex;
use icn_model::{Digest, Time};
use std::{fmt, sync::Arc};

/// When virtual time begins: some day in 2025, in milliseconds since 1970.
pub const BEGIN: Time = Time::new(1_750_000_000_000);

/// Takes lines. Cheap to clone.
#[derive(Clone)]
pub struct Trace(Arc<Mutex<Inner>>);

struct Inner {
    print: Box<dyn FnMut(&str) + Send>,
    digest: Digest,
}

impl Trace {
    /// Gives each line to `print`.
    pub fn new(print: impl FnMut(&str) + Send + 'static) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            print: Box::new(print),
            digest: Digest::ZERO,
        })))
    }

    /// Keeps nothing but the hash of the lines.
    pub fn silent() -> Self {
        Self::new(|_| {})
    }

    /// Says something at a time.
    pub fn say(&self, now: Time, text: impl fmt::Display) {
        let tenths = now.since(BEGIN).get() / 100;
        let line = format!("[t={}.{}s] {text}", tenths / 10, tenths % 10);
        let mut inner = self.0.lock();
        inner.digest = Digest::of_parts(&[inner.digest.as_bytes(), line.as_bytes()]);
        (inner.print)(&line);
    }

    /// A hash of everything that was said.
    pub fn digest(&self) -> Digest {
        self.0.lock().digest
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_model::Millis;

    #[test]
    fn lines_carry_virtual_time() {
        let lines = Arc::new(Mutex::new(Vec::new()));
        let trace = Trace::new({
            let lines = lines.clone();
            move |line| lines.lock().push(line.to_owned())
        });
        let silent = trace.digest();
        trace.say(BEGIN.after(Millis::new(123_456)), "something happens");
        assert_eq!(*lines.lock(), ["[t=123.4s] something happens"]);
        assert_ne!(trace.digest(), silent);
    }
}
