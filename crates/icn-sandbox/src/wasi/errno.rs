//! The error numbers of WASI preview 1 that this implementation returns, and the two ways in which a
//! call can fail: back to the program with a number, or for good.

/// A WASI preview 1 error number. Variants are named as in the preview 1 definition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Errno {
    /// Bad file descriptor.
    Badf = 8,
    /// File exists.
    Exist = 20,
    /// Pointer outside of the program's memory.
    Fault = 21,
    /// File too large for its offset type.
    Fbig = 22,
    /// Bytes that are not UTF-8.
    Ilseq = 25,
    /// Invalid argument.
    Inval = 28,
    /// Is a directory.
    Isdir = 31,
    /// Too many open files.
    Mfile = 33,
    /// Name, path or nesting too long.
    Nametoolong = 37,
    /// No such file or directory.
    Noent = 44,
    /// Too many files.
    Nospc = 51,
    /// Function not supported at all.
    Nosys = 52,
    /// Not a directory.
    Notdir = 54,
    /// Directory not empty.
    Notempty = 55,
    /// Not supported by this file system.
    Notsup = 58,
    /// Value too large.
    Overflow = 61,
    /// Read-only file or fixed directory.
    Rofs = 69,
    /// Seek on a stream.
    Spipe = 70,
    /// Beyond the capabilities of the descriptor.
    Notcapable = 76,
}

impl Errno {
    /// The number as programs see it.
    #[must_use]
    pub(crate) fn code(self) -> u32 {
        self as u32
    }
}

/// Ends the run from within a call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Stop {
    /// The program asked to exit with this code.
    Exit(i32),
    /// The call costs more fuel than there is.
    OutOfFuel,
    /// The program wrote more than it may.
    OutputLimit,
    /// The host has no memory left for what the program may write.
    HostMemory,
}

/// Why a call did not succeed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The program is told, and goes on.
    Errno(Errno),
    /// The run ends.
    Stop(Stop),
}

impl From<Errno> for Fault {
    fn from(errno: Errno) -> Self {
        Self::Errno(errno)
    }
}

impl From<Stop> for Fault {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

/// What a call gives.
pub(crate) type Call<T = ()> = Result<T, Fault>;
