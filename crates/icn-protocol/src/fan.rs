//! One value and many readers, who are woken in the order in which they began to read.
//!
//! Each reader has a channel of its own: the library's channel wakes several readers of one value in an
//! order drawn by chance, and a simulated run would not be the same twice.
use commonware_utils::{channel::watch, sync::Mutex};
use std::sync::Arc;

/// The writing end. Clones are the same one; when the last is gone, readers learn of it.
#[derive(Clone)]
pub(crate) struct Fan<T>(Arc<Mutex<Inner<T>>>);

struct Inner<T> {
    value: T,
    readers: Vec<watch::Sender<T>>,
}

impl<T: Copy> Fan<T> {
    /// Begins with a value.
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(Inner {
            value,
            readers: Vec::new(),
        })))
    }

    /// The value now.
    pub(crate) fn get(&self) -> T {
        self.0.lock().value
    }

    /// A reader of every value from now on.
    pub(crate) fn subscribe(&self) -> watch::Receiver<T> {
        let mut inner = self.0.lock();
        let (reader, receiver) = watch::channel(inner.value);
        inner.readers.retain(|reader| !reader.is_closed());
        inner.readers.push(reader);
        receiver
    }

    /// Changes the value and tells everybody.
    pub(crate) fn update(&self, change: impl FnOnce(T) -> T) {
        let mut inner = self.0.lock();
        let value = change(inner.value);
        inner.value = value;
        // Fails where the reader is gone.
        inner.readers.retain(|reader| reader.send(value).is_ok());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures::FutureExt as _;

    #[test]
    fn every_reader_sees_every_change_and_the_end() {
        let fan = Fan::new(1);
        let (mut first, mut second) = (fan.subscribe(), fan.clone().subscribe());
        assert!(
            first.changed().now_or_never().is_none(),
            "the first value is known already"
        );
        fan.update(|value| value + 1);
        assert_eq!(fan.get(), 2);
        first.changed().now_or_never().unwrap().unwrap();
        assert_eq!((*first.borrow(), *second.borrow_and_update()), (2, 2));
        drop(second);
        fan.update(|value| value + 1);
        assert_eq!(fan.0.lock().readers.len(), 1, "who has gone is forgotten");
        assert_eq!(
            *first
                .wait_for(|value| *value == 3)
                .now_or_never()
                .unwrap()
                .unwrap(),
            3
        );
        drop(fan);
        assert!(first.changed().now_or_never().unwrap().is_err());
    }
}
