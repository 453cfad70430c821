//! The program's linear memory as calls see it: every access is checked, none can panic.

use super::errno::{Call, Errno, Fault};

/// Most buffers that one vectored read or write may name, as in POSIX's `IOV_MAX`.
pub(crate) const VECTORS_MAX: u32 = 1_024;

/// A view of linear memory for the time of one call.
pub(crate) struct Memory<'a>(&'a mut [u8]);

impl<'a> Memory<'a> {
    /// Wraps the bytes of linear memory; an empty slice for a module that exports none.
    pub(crate) fn new(bytes: &'a mut [u8]) -> Self {
        Self(bytes)
    }

    /// The `len` bytes at `address`.
    ///
    /// # Errors
    /// [`Errno::Fault`] if they are not all within memory.
    pub(crate) fn slice(&self, address: u32, len: u32) -> Call<&[u8]> {
        let start = address as usize;
        let end = start.checked_add(len as usize).ok_or(Errno::Fault)?;
        self.0.get(start..end).ok_or(Fault::Errno(Errno::Fault))
    }

    /// The `len` bytes at `address`, to be written.
    ///
    /// # Errors
    /// [`Errno::Fault`] if they are not all within memory.
    pub(crate) fn slice_mut(&mut self, address: u32, len: u32) -> Call<&mut [u8]> {
        let start = address as usize;
        let end = start.checked_add(len as usize).ok_or(Errno::Fault)?;
        self.0.get_mut(start..end).ok_or(Fault::Errno(Errno::Fault))
    }

    /// Writes `bytes` at `address`.
    ///
    /// # Errors
    /// [`Errno::Fault`] if they do not fit into memory there.
    pub(crate) fn write(&mut self, address: u32, bytes: &[u8]) -> Call {
        let len = u32::try_from(bytes.len()).map_err(|_| Errno::Fault)?;
        self.slice_mut(address, len)?.copy_from_slice(bytes);
        Ok(())
    }

    /// Writes `value` at `address`, little-endian.
    ///
    /// # Errors
    /// [`Errno::Fault`] if it does not fit into memory there.
    pub(crate) fn write_u32(&mut self, address: u32, value: u32) -> Call {
        self.write(address, &value.to_le_bytes())
    }

    /// Writes `value` at `address`, little-endian.
    ///
    /// # Errors
    /// [`Errno::Fault`] if it does not fit into memory there.
    pub(crate) fn write_u64(&mut self, address: u32, value: u64) -> Call {
        self.write(address, &value.to_le_bytes())
    }

    /// The `N` bytes at `address`.
    ///
    /// # Errors
    /// [`Errno::Fault`] if they are not all within memory.
    pub(crate) fn array<const N: usize>(&self, address: u32) -> Call<[u8; N]> {
        let start = address as usize;
        let rest = self.0.get(start..).ok_or(Errno::Fault)?;
        rest.first_chunk::<N>().copied().ok_or(Fault::Errno(Errno::Fault))
    }

    /// The `iovec` array at `address`: pairs of address and length, all of them within memory.
    ///
    /// # Errors
    /// [`Errno::Inval`] for more than [`VECTORS_MAX`] buffers or a total over 4 GiB,
    /// [`Errno::Fault`] for the array or a buffer outside of memory.
    pub(crate) fn vectors(&self, address: u32, count: u32) -> Call<Vec<(u32, u32)>> {
        if count > VECTORS_MAX {
            return Err(Errno::Inval.into());
        }
        let mut total = 0_u32;
        let mut vectors = Vec::with_capacity(count as usize);
        for entry in self.slice(address, count * 8)?.chunks_exact(8) {
            let [a, b, c, d, e, f, g, h] = *entry else {
                return Err(Errno::Fault.into());
            };
            let (start, len) = (u32::from_le_bytes([a, b, c, d]), u32::from_le_bytes([e, f, g, h]));
            self.slice(start, len)?;
            total = total.checked_add(len).ok_or(Errno::Inval)?;
            vectors.push((start, len));
        }
        Ok(vectors)
    }
}

/// Address `base + offset`.
///
/// # Errors
/// [`Errno::Fault`] past the end of a 32-bit address space.
pub(crate) fn at(base: u32, offset: u32) -> Call<u32> {
    base.checked_add(offset).ok_or(Fault::Errno(Errno::Fault))
}
