//! The calls about the process: arguments, clocks, randomness, waiting, ending, and sockets, of which
//! there are none.

use super::Wasi;
use super::abi::{EVENT_BYTES, SUBSCRIPTION_BYTES, Subscription, Wait, event, rights};
use super::clock::{self, Clock};
use super::errno::{Call, Errno, Fault, Stop};
use super::fds::Target;
use super::memory::{Memory, at};
use super::quota::Meter;

/// Most subscriptions of one `poll_oneoff`.
const SUBSCRIPTIONS_MAX: u32 = 1_024;

impl Wasi {
    pub(crate) fn args_get(&mut self, memory: &mut Memory<'_>, pointers: u32, buffer: u32) -> Call {
        write_strings(&mut self.meter, memory, &self.args, pointers, buffer)
    }

    pub(crate) fn args_sizes_get(&mut self, memory: &mut Memory<'_>, count: u32, bytes: u32) -> Call {
        write_sizes(memory, &self.args, count, bytes)
    }

    pub(crate) fn environ_get(&mut self, memory: &mut Memory<'_>, pointers: u32, buffer: u32) -> Call {
        write_strings(&mut self.meter, memory, &self.env, pointers, buffer)
    }

    pub(crate) fn environ_sizes_get(&mut self, memory: &mut Memory<'_>, count: u32, bytes: u32) -> Call {
        write_sizes(memory, &self.env, count, bytes)
    }

    pub(crate) fn clock_res_get(&mut self, memory: &mut Memory<'_>, id: u32, resolution: u32) -> Call {
        clock::check_id(id)?;
        memory.write_u64(resolution, Clock::resolution_ns())
    }

    pub(crate) fn clock_time_get(
        &mut self,
        memory: &mut Memory<'_>,
        id: u32,
        _precision: u64,
        time: u32,
    ) -> Call {
        clock::check_id(id)?;
        memory.write_u64(time, self.clock.read())
    }

    /// Waits for nothing: files and streams are always ready, and where only clocks are waited for,
    /// time moves to the earliest of them.
    pub(crate) fn poll_oneoff(
        &mut self,
        memory: &mut Memory<'_>,
        subscriptions: u32,
        events: u32,
        count: u32,
        happened: u32,
    ) -> Call {
        if count == 0 || count > SUBSCRIPTIONS_MAX {
            return Err(Errno::Inval.into());
        }
        self.meter.spend(u64::from(count * SUBSCRIPTION_BYTES))?;
        memory.slice(events, count * EVENT_BYTES)?;
        let waits = (0..count)
            .map(|i| Subscription::read(memory, at(subscriptions, i * SUBSCRIPTION_BYTES)?))
            .collect::<Call<Vec<_>>>()?;
        let mut ready: Vec<_> = waits.iter().filter_map(|wait| self.ready(wait)).collect();
        if ready.is_empty() {
            ready = self.sleep(&waits);
        }
        let mut written = 0;
        for event in ready {
            memory.write(at(events, written * EVENT_BYTES)?, &event)?;
            written += 1;
        }
        memory.write_u32(happened, written)
    }

    /// The event of a subscription to a descriptor; none for a clock.
    fn ready(&self, subscription: &Subscription) -> Option<[u8; 32]> {
        let (fd, tag, right) = match subscription.wait {
            Wait::Clock { .. } => return None,
            Wait::Read { fd } => (fd, 1, rights::FD_READ),
            Wait::Write { fd } => (fd, 2, rights::FD_WRITE),
        };
        let readable = self
            .fds
            .get(fd, right | rights::POLL_FD_READWRITE)
            .and_then(|descriptor| {
                let len = match descriptor.target {
                    _ if tag == 2 => 0,
                    Target::Stdin => self.stdin.len().saturating_sub(self.stdin_position) as u64,
                    Target::Stdout | Target::Stderr => 0,
                    Target::Node(inode) => {
                        (self.fs.bytes(inode)?.len() as u64).saturating_sub(descriptor.position)
                    }
                };
                Ok(len)
            });
        Some(match readable {
            Ok(nbytes) => event(subscription.userdata, None, tag, nbytes),
            Err(Fault::Errno(errno)) => event(subscription.userdata, Some(errno), tag, 0),
            Err(Fault::Stop(_)) => event(subscription.userdata, Some(Errno::Badf), tag, 0),
        })
    }

    /// Lets time pass up to the earliest deadline, and gives the events of all that are due then.
    fn sleep(&mut self, subscriptions: &[Subscription]) -> Vec<[u8; 32]> {
        let deadline = |subscription: &Subscription| match subscription.wait {
            Wait::Clock { timeout_ns, absolute } => Some(self.clock.deadline(timeout_ns, absolute)),
            Wait::Read { .. } | Wait::Write { .. } => None,
        };
        let due: Vec<_> = subscriptions.iter().map(|s| (s.userdata, deadline(s))).collect();
        let earliest = due.iter().filter_map(|(_, at)| *at).min().unwrap_or_default();
        self.clock.advance_to(earliest);
        let now_ns = self.clock.now_ns();
        due.into_iter()
            .filter(|(_, at)| at.is_some_and(|at| at <= now_ns))
            .map(|(userdata, _)| event(userdata, None, 0, 0))
            .collect()
    }

    pub(crate) fn proc_exit(&mut self, _: &mut Memory<'_>, code: u32) -> Call {
        Err(Stop::Exit(code.cast_signed()).into())
    }

    pub(crate) fn proc_raise(&mut self, _: &mut Memory<'_>, _signal: u32) -> Call {
        Err(Errno::Nosys.into())
    }

    pub(crate) fn sched_yield(&mut self, _: &mut Memory<'_>) -> Call {
        Ok(())
    }

    pub(crate) fn random_get(&mut self, memory: &mut Memory<'_>, buffer: u32, len: u32) -> Call {
        self.meter.spend(u64::from(len))?;
        self.random.fill(memory.slice_mut(buffer, len)?);
        Ok(())
    }

    pub(crate) fn sock_accept(&mut self, _: &mut Memory<'_>, _fd: u32, _flags: u32, _new: u32) -> Call {
        Err(Errno::Nosys.into())
    }

    #[expect(
        clippy::too_many_arguments,
        reason = "the parameters of the call in preview 1"
    )]
    pub(crate) fn sock_recv(
        &mut self,
        _: &mut Memory<'_>,
        _fd: u32,
        _vectors: u32,
        _count: u32,
        _flags: u32,
        _received: u32,
        _out_flags: u32,
    ) -> Call {
        Err(Errno::Nosys.into())
    }

    pub(crate) fn sock_send(
        &mut self,
        _: &mut Memory<'_>,
        _fd: u32,
        _vectors: u32,
        _count: u32,
        _flags: u32,
        _sent: u32,
    ) -> Call {
        Err(Errno::Nosys.into())
    }

    pub(crate) fn sock_shutdown(&mut self, _: &mut Memory<'_>, _fd: u32, _how: u32) -> Call {
        Err(Errno::Nosys.into())
    }
}

fn write_sizes(memory: &mut Memory<'_>, strings: &[Vec<u8>], count: u32, bytes: u32) -> Call {
    let total: usize = strings.iter().map(Vec::len).sum();
    memory.write_u32(count, u32::try_from(strings.len()).map_err(|_| Errno::Overflow)?)?;
    memory.write_u32(bytes, u32::try_from(total).map_err(|_| Errno::Overflow)?)
}

fn write_strings(
    meter: &mut Meter,
    memory: &mut Memory<'_>,
    strings: &[Vec<u8>],
    pointers: u32,
    buffer: u32,
) -> Call {
    let (mut pointer, mut text) = (pointers, buffer);
    for string in strings {
        meter.spend(string.len() as u64)?;
        memory.write_u32(pointer, text)?;
        memory.write(text, string)?;
        pointer = at(pointer, 4)?;
        text = at(text, u32::try_from(string.len()).map_err(|_| Errno::Overflow)?)?;
    }
    Ok(())
}
