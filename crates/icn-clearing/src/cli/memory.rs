//! How much memory may be used: better a plain refusal than a process that the system kills.
use anyhow::bail;
use std::fs;

/// What solving takes for each row at most: the row, its cleared part, two arcs with 64-bit residuals.
const ROW_BYTES: u64 = 80;
/// What solving and the table of names take for each party, with a short name.
const PARTY_BYTES: u64 = 240;
const MIB: u64 = 1 << 20;

/// The most memory that may be used.
pub(crate) struct Memory {
    most_bytes: u64,
}

impl Memory {
    /// As told, or three quarters of what the system has to give.
    pub(crate) fn new(max_mib: Option<u64>) -> Self {
        let told = max_mib.map(|mib| mib.saturating_mul(MIB));
        let free = || available_bytes().map(|bytes| bytes / 4 * 3);
        Self {
            most_bytes: told.or_else(free).unwrap_or(u64::MAX),
        }
    }

    /// Whether so much input can be solved.
    pub(crate) fn allow(&self, rows: u64, parties: u64, name_bytes: u64) -> anyhow::Result<()> {
        let bytes = rows * ROW_BYTES + parties * PARTY_BYTES + name_bytes;
        if bytes > self.most_bytes {
            bail!(
                "{rows} obligations of {parties} parties take about {} MiB of memory and {} are allowed: \
                 raise --max-memory, or clear parts of the network",
                bytes / MIB + 1,
                self.most_bytes / MIB,
            );
        }
        Ok(())
    }
}

/// What Linux says is available to this process, its control group included; nothing elsewhere.
fn available_bytes() -> Option<u64> {
    let meminfo = fs::read_to_string("/proc/meminfo").ok()?;
    let line = meminfo
        .lines()
        .find_map(|line| line.strip_prefix("MemAvailable:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    let number = |path| fs::read_to_string(path).ok()?.trim().parse::<u64>().ok();
    let group = number("/sys/fs/cgroup/memory.max")
        .map(|most| most.saturating_sub(number("/sys/fs/cgroup/memory.current").unwrap_or(0)));
    Some((kib * 1024).min(group.unwrap_or(u64::MAX)))
}
