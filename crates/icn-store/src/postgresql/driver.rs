//! The thread on which the asynchronous driver runs. Callers hand it futures and block until they are
//! ready, whatever thread they are on: where the caller is a task of another runtime, that runtime
//! has no part in it.

use std::future::Future;
use std::io;
use std::thread::{self, JoinHandle};

use futures_channel::oneshot;
use tokio::runtime::{Builder, EnterGuard, Handle};

use crate::wait;

/// Runs until it is dropped.
pub(super) struct Driver {
    handle: Handle,
    /// `None` once it is told.
    stop: Option<oneshot::Sender<()>>,
    /// `None` once it is joined.
    thread: Option<JoinHandle<()>>,
}

impl Driver {
    pub(super) fn start() -> io::Result<Self> {
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let handle = runtime.handle().clone();
        let (stop, stopped) = oneshot::channel();
        let thread = thread::Builder::new()
            .name("icn-store-postgresql".to_owned())
            .spawn(move || {
                // Told to stop or abandoned, it is the end either way.
                let _ = runtime.block_on(stopped);
            })?;
        Ok(Self {
            handle,
            stop: Some(stop),
            thread: Some(thread),
        })
    }

    /// Makes this thread one on which connections may be dropped.
    pub(super) fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Runs the future and blocks this thread until it is ready.
    ///
    /// # Panics
    ///
    /// When the future does.
    pub(super) fn run<T: Send + 'static>(&self, future: impl Future<Output = T> + Send + 'static) -> T {
        // Not the runtime's own handle of a task: polled from a task of another runtime, it can wait
        // for a turn that never comes while we block.
        let (reply, answer) = oneshot::channel();
        self.handle.spawn(async move {
            // Whoever asked waits; there is nobody to miss the answer.
            let _ = reply.send(future.await);
        });
        wait::block_on(answer).expect("a task of the driver ends with an answer unless it panics")
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the PostgreSQL driver panicked");
        }
    }
}
