//! WASI preview 1 as a deterministic function: all 46 calls, answered from memory.
//!
//! The world that a program sees: standard streams as descriptors 0 to 2, the root directory
//! preopened as descriptor 3, inputs as read-only files, whatever it writes elsewhere as files of its
//! own, of which those under `/out` are its output. No call reaches the host: there is no host file,
//! clock, randomness or network behind this module, and it does not name the engine either, so a test
//! can drive it with a byte array for memory.
//!
//! Calls cost fuel: [`CALL_FUEL`] each and one unit per byte that they move, compare or zero.

mod abi;
mod clock;
mod errno;
mod fds;
mod files;
mod fs;
mod io;
mod memory;
mod paths;
mod process;
mod quota;
mod random;
#[cfg(test)]
mod tests;

use std::collections::BTreeMap;

use bytes::Bytes;

use self::clock::Clock;
pub(crate) use self::errno::{Call, Fault, Stop};
use self::fds::{Descriptors, Target};
use self::fs::{FileSystem, Inode};
pub(crate) use self::memory::Memory;
use self::quota::{Meter, Quota};
use self::random::Random;
use crate::exit::Invalid;
use crate::invocation::{Invocation, PROGRAM_NAME};

/// Fuel that any call costs.
pub(crate) const CALL_FUEL: u64 = 256;

/// What a program wrote.
#[derive(Debug, Default)]
pub(crate) struct Written {
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: Vec<u8>,
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

/// The world of one run.
#[derive(Debug)]
pub(crate) struct Wasi {
    /// Arguments and `KEY=value` strings, each with its terminating zero.
    args: Vec<Vec<u8>>,
    env: Vec<Vec<u8>>,
    stdin: Bytes,
    stdin_position: usize,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    fs: FileSystem,
    fds: Descriptors,
    quota: Quota,
    meter: Meter,
    clock: Clock,
    random: Random,
}

impl Wasi {
    /// Builds the world that the invocation describes.
    ///
    /// # Errors
    /// What cannot be passed to a program, or placed in its file system.
    pub(crate) fn new(invocation: &Invocation) -> Result<Self, Invalid> {
        invocation.check()?;
        let mut fs = FileSystem::new();
        for (path, bytes) in &invocation.inputs {
            fs.add_input(path, bytes.clone())
                .map_err(|error| Invalid::Input {
                    path: path.clone(),
                    error,
                })?;
        }
        let zero_terminated = |text: String| {
            let mut bytes = text.into_bytes();
            bytes.push(0);
            bytes
        };
        let args = std::iter::once(PROGRAM_NAME.to_owned()).chain(invocation.args.iter().cloned());
        Ok(Self {
            args: args.map(zero_terminated).collect(),
            env: invocation
                .env
                .iter()
                .map(|(k, v)| zero_terminated(format!("{k}={v}")))
                .collect(),
            stdin: invocation.stdin.clone(),
            stdin_position: 0,
            stdout: Vec::new(),
            stderr: Vec::new(),
            fs,
            fds: Descriptors::new(),
            quota: Quota::new(invocation.limits.output_bytes),
            meter: Meter::default(),
            clock: Clock::new(),
            random: Random::new(invocation.seed),
        })
    }

    /// Tells how much fuel the call that begins may use, and charges it for being one.
    pub(crate) fn begin(&mut self, fuel: u64) -> Call {
        self.meter.set(fuel);
        self.meter.spend(CALL_FUEL)
    }

    /// The fuel that is left after a call.
    pub(crate) fn fuel_left(&self) -> u64 {
        self.meter.left()
    }

    /// What the program wrote, at the end of the run.
    pub(crate) fn finish(self) -> Written {
        Written {
            stdout: self.stdout,
            stderr: self.stderr,
            files: self.fs.into_outputs(),
        }
    }

    /// Appends to a standard stream: as much as the quota holds, so that logs show how far it came.
    fn write_stream(&mut self, target: Target, bytes: &[u8]) -> Call {
        let fits = usize::try_from(self.quota.left()).map_or(bytes.len(), |left| left.min(bytes.len()));
        let stream = if target == Target::Stderr {
            &mut self.stderr
        } else {
            &mut self.stdout
        };
        stream.try_reserve(fits).map_err(|_| Stop::HostMemory)?;
        stream.extend_from_slice(&bytes[..fits]);
        self.quota.take(fits as u64)?;
        if fits < bytes.len() {
            Err(Stop::OutputLimit.into())
        } else {
            Ok(())
        }
    }

    /// The directory that a path call starts from.
    fn directory(&self, fd: u32, rights: u64) -> Call<Inode> {
        self.fds.get(fd, rights)?.node(errno::Errno::Notdir)
    }
}
