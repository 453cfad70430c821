//! The thread that watches the sockets and timers of the asynchronous driver. Futures run on the
//! threads that wait for them, which may be threads of another runtime.

use std::future::Future;
use std::io;
use std::thread::{self, JoinHandle};

use tokio::runtime::{Builder, EnterGuard, Handle};
use tokio::sync::oneshot;

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

    /// Makes this thread one on which connections may be made, used and dropped.
    pub(super) fn enter(&self) -> EnterGuard<'_> {
        self.handle.enter()
    }

    /// Blocks the thread until the future is ready.
    pub(super) fn wait<T>(&self, future: impl Future<Output = T>) -> T {
        let _entered = self.enter();
        wait::block_on(future)
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
