//! Connects the 46 functions of `wasi_snapshot_preview1` to their implementations: lends them the
//! program's memory and fuel, and turns what they say into what WebAssembly understands.

use wasmtime::{Caller, Engine, Extern, Linker};

use crate::limiter::Limiter;
use crate::wasi::{Call, Fault, Memory, Stop, Wasi};

/// The module that a job may import from.
pub(crate) const MODULE: &str = "wasi_snapshot_preview1";

/// What a running program is connected to.
pub(crate) struct Context {
    pub(crate) wasi: Wasi,
    pub(crate) limiter: Limiter,
}

/// Ends a run from within a call; found again in the error that the engine returns.
#[derive(Debug, thiserror::Error)]
#[error("the run was ended by the host: {0:?}")]
pub(crate) struct Stopped(pub(crate) Stop);

/// The call succeeded.
const SUCCESS: u32 = 0;

fn call(
    caller: &mut Caller<'_, Context>,
    implementation: impl FnOnce(&mut Wasi, &mut Memory<'_>) -> Call,
) -> wasmtime::Result<u32> {
    let fuel = caller.get_fuel()?;
    let exported = caller.get_export("memory").and_then(Extern::into_memory);
    let result = {
        let (bytes, context) = match &exported {
            Some(memory) => memory.data_and_store_mut(&mut *caller),
            None => (&mut [][..], caller.data_mut()),
        };
        let wasi = &mut context.wasi;
        wasi.begin(fuel)
            .and_then(|()| implementation(wasi, &mut Memory::new(bytes)))
    };
    let fuel_left = caller.data().wasi.fuel_left();
    caller.set_fuel(fuel_left)?;
    match result {
        Ok(()) => Ok(SUCCESS),
        Err(Fault::Errno(errno)) => Ok(errno.code()),
        Err(Fault::Stop(stop)) => Err(Stopped(stop).into()),
    }
}

macro_rules! functions {
    ($($name:ident($($argument:ident: $type:ty),*);)*) => {
        /// The functions that a job may import, apart from `proc_exit` all with an error number as
        /// result.
        pub(crate) const FUNCTIONS: [&str; 46] = ["proc_exit", $(stringify!($name)),*];

        fn add_functions(linker: &mut Linker<Context>) -> wasmtime::Result<()> {
            $(linker.func_wrap(
                MODULE,
                stringify!($name),
                |mut caller: Caller<'_, Context>, $($argument: $type),*| {
                    call(&mut caller, |wasi, memory| wasi.$name(memory, $($argument),*))
                },
            )?;)*
            Ok(())
        }
    };
}

functions! {
    args_get(pointers: u32, buffer: u32);
    args_sizes_get(count: u32, bytes: u32);
    environ_get(pointers: u32, buffer: u32);
    environ_sizes_get(count: u32, bytes: u32);
    clock_res_get(id: u32, resolution: u32);
    clock_time_get(id: u32, precision: u64, time: u32);
    fd_advise(fd: u32, offset: u64, len: u64, advice: u32);
    fd_allocate(fd: u32, offset: u64, len: u64);
    fd_close(fd: u32);
    fd_datasync(fd: u32);
    fd_fdstat_get(fd: u32, stat: u32);
    fd_fdstat_set_flags(fd: u32, flags: u32);
    fd_fdstat_set_rights(fd: u32, rights: u64, inheriting: u64);
    fd_filestat_get(fd: u32, stat: u32);
    fd_filestat_set_size(fd: u32, size: u64);
    fd_filestat_set_times(fd: u32, accessed: u64, modified: u64, flags: u32);
    fd_pread(fd: u32, vectors: u32, count: u32, offset: u64, read: u32);
    fd_prestat_get(fd: u32, prestat: u32);
    fd_prestat_dir_name(fd: u32, path: u32, len: u32);
    fd_pwrite(fd: u32, vectors: u32, count: u32, offset: u64, written: u32);
    fd_read(fd: u32, vectors: u32, count: u32, read: u32);
    fd_readdir(fd: u32, buffer: u32, len: u32, cookie: u64, used: u32);
    fd_renumber(from: u32, to: u32);
    fd_seek(fd: u32, offset: i64, whence: u32, position: u32);
    fd_sync(fd: u32);
    fd_tell(fd: u32, position: u32);
    fd_write(fd: u32, vectors: u32, count: u32, written: u32);
    path_create_directory(fd: u32, path: u32, len: u32);
    path_filestat_get(fd: u32, lookup: u32, path: u32, len: u32, stat: u32);
    path_filestat_set_times(
        fd: u32, lookup: u32, path: u32, len: u32, accessed: u64, modified: u64, flags: u32
    );
    path_link(
        old_fd: u32, lookup: u32, old: u32, old_len: u32, new_fd: u32, new: u32, new_len: u32
    );
    path_open(
        fd: u32, lookup: u32, path: u32, len: u32, oflags: u32, rights: u64, inheriting: u64,
        fdflags: u32, opened: u32
    );
    path_readlink(fd: u32, path: u32, len: u32, buffer: u32, buffer_len: u32, used: u32);
    path_remove_directory(fd: u32, path: u32, len: u32);
    path_rename(fd: u32, old: u32, old_len: u32, new_fd: u32, new: u32, new_len: u32);
    path_symlink(old: u32, old_len: u32, fd: u32, new: u32, new_len: u32);
    path_unlink_file(fd: u32, path: u32, len: u32);
    poll_oneoff(subscriptions: u32, events: u32, count: u32, happened: u32);
    proc_raise(signal: u32);
    sched_yield();
    random_get(buffer: u32, len: u32);
    sock_accept(fd: u32, flags: u32, new: u32);
    sock_recv(fd: u32, vectors: u32, count: u32, flags: u32, received: u32, out_flags: u32);
    sock_send(fd: u32, vectors: u32, count: u32, flags: u32, sent: u32);
    sock_shutdown(fd: u32, how: u32);
}

/// A linker with all functions, shared by all modules of an engine.
pub(crate) fn linker(engine: &Engine) -> wasmtime::Result<Linker<Context>> {
    let mut linker = Linker::new(engine);
    linker.func_wrap(
        MODULE,
        "proc_exit",
        |mut caller: Caller<'_, Context>, code: u32| {
            call(&mut caller, |wasi, memory| wasi.proc_exit(memory, code)).map(drop)
        },
    )?;
    add_functions(&mut linker)?;
    Ok(linker)
}
