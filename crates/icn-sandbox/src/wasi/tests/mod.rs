//! The calls, driven the way a program drives them, with a byte array for its memory; those about
//! files are in [`files`].

use super::abi::{oflags, rights};
use super::errno::Errno;
use super::fds::DESCRIPTORS_MAX;
use super::*;
use crate::exit::InputError;
use crate::invocation::Limits;

/// Where the harness puts paths, data, vectors and results in the program's memory.
const PATH: u32 = 0x100;
const OTHER_PATH: u32 = 0x2000;
const DATA: u32 = 0x4000;
const VECTOR: u32 = 0x10;
const RESULT: u32 = 0x20;

const READ: u64 = rights::FD_READ | rights::FD_SEEK | rights::FD_TELL;
const WRITE: u64 = READ | rights::FILE_WRITE;

mod files;

struct World {
    wasi: Wasi,
    bytes: Vec<u8>,
}

impl World {
    fn new(inputs: &[(&str, &[u8])], output_bytes: u64) -> Self {
        let inputs = inputs
            .iter()
            .map(|(path, bytes)| ((*path).to_owned(), Bytes::copy_from_slice(bytes)));
        let invocation = Invocation {
            args: vec!["-n".to_owned(), "3".to_owned()],
            env: vec![("LANG".to_owned(), "C".to_owned())],
            stdin: Bytes::from_static(b"hello"),
            inputs: inputs.collect(),
            limits: Limits {
                output_bytes,
                ..Limits::default()
            },
            seed: [1; 32],
        };
        let mut wasi = Wasi::new(&invocation).expect("the invocation is valid");
        wasi.begin(u64::MAX).expect("there is fuel");
        Self {
            wasi,
            bytes: vec![0; 0x1_0000],
        }
    }

    fn call<T>(&mut self, call: impl FnOnce(&mut Wasi, &mut Memory<'_>) -> Call<T>) -> Call<T> {
        call(&mut self.wasi, &mut Memory::new(&mut self.bytes))
    }

    fn put(&mut self, address: u32, bytes: &[u8]) -> (u32, u32) {
        self.call(|_, memory| memory.write(address, bytes))
            .expect("it fits");
        (address, u32::try_from(bytes.len()).expect("it is short"))
    }

    fn word(&mut self) -> u32 {
        self.call(|_, memory| memory.array(RESULT).map(u32::from_le_bytes))
            .expect("it is in memory")
    }

    fn open(&mut self, path: &str, flags: u32, rights: u64) -> Call<u32> {
        self.open_at(fds::PREOPEN, path, flags, rights)
    }

    fn open_at(&mut self, fd: u32, path: &str, flags: u32, rights: u64) -> Call<u32> {
        let (path, len) = self.put(PATH, path.as_bytes());
        self.call(|w, m| w.path_open(m, fd, 0, path, len, flags, rights, u64::MAX, 0, RESULT))?;
        Ok(self.word())
    }

    fn vector(&mut self, start: u32, len: u32) -> u32 {
        self.put(VECTOR, &[start.to_le_bytes(), len.to_le_bytes()].concat());
        VECTOR
    }

    fn write(&mut self, fd: u32, bytes: &[u8]) -> Call<u32> {
        let (start, len) = self.put(DATA, bytes);
        let vector = self.vector(start, len);
        self.call(|w, m| w.fd_write(m, fd, vector, 1, RESULT))?;
        Ok(self.word())
    }

    fn read(&mut self, fd: u32, len: u32) -> Call<Vec<u8>> {
        let vector = self.vector(DATA, len);
        self.call(|w, m| w.fd_read(m, fd, vector, 1, RESULT))?;
        let len = self.word();
        self.call(|_, m| m.slice(DATA, len).map(<[u8]>::to_vec))
    }

    fn seek(&mut self, fd: u32, offset: i64, whence: u32) -> Call<u64> {
        self.call(|w, m| w.fd_seek(m, fd, offset, whence, RESULT))?;
        self.call(|_, m| m.array(RESULT).map(u64::from_le_bytes))
    }

    fn mkdir(&mut self, path: &str) -> Call {
        let (path, len) = self.put(PATH, path.as_bytes());
        self.call(|w, m| w.path_create_directory(m, fds::PREOPEN, path, len))
    }

    fn unlink(&mut self, path: &str) -> Call {
        let (path, len) = self.put(PATH, path.as_bytes());
        self.call(|w, m| w.path_unlink_file(m, fds::PREOPEN, path, len))
    }

    fn rmdir(&mut self, path: &str) -> Call {
        let (path, len) = self.put(PATH, path.as_bytes());
        self.call(|w, m| w.path_remove_directory(m, fds::PREOPEN, path, len))
    }

    fn rename(&mut self, from: &str, to: &str) -> Call {
        let (from, from_len) = self.put(PATH, from.as_bytes());
        let (to, to_len) = self.put(OTHER_PATH, to.as_bytes());
        self.call(|w, m| w.path_rename(m, fds::PREOPEN, from, from_len, fds::PREOPEN, to, to_len))
    }

    fn list(&mut self, fd: u32, buffer_len: u32) -> Vec<String> {
        let (mut names, mut cookie) = (Vec::new(), 0_u64);
        loop {
            self.call(|w, m| w.fd_readdir(m, fd, DATA, buffer_len, cookie, RESULT))
                .expect("it is listed");
            let used = self.word();
            let bytes = self
                .call(|_, m| m.slice(DATA, used).map(<[u8]>::to_vec))
                .expect("in memory");
            let mut rest = bytes.as_slice();
            while rest.len() >= 24 {
                let next = u64::from_le_bytes(rest[..8].try_into().expect("eight bytes"));
                let len = u32::from_le_bytes(rest[16..20].try_into().expect("four bytes")) as usize;
                let Some(name) = rest.get(24..24 + len) else { break };
                names.push(String::from_utf8(name.to_vec()).expect("names are UTF-8"));
                cookie = next;
                rest = &rest[24 + len..];
            }
            if used < buffer_len {
                return names;
            }
        }
    }
}

fn errno<T>(errno: Errno) -> Call<T> {
    Err(Fault::Errno(errno))
}

#[test]
fn pointers_outside_of_memory_are_told_so() {
    let mut world = World::new(&[], 1_000);
    let end = 0x1_0000;
    let fault = errno(Errno::Fault);
    assert_eq!(world.call(|w, m| w.random_get(m, end - 4, 5)), fault);
    assert_eq!(world.call(|w, m| w.random_get(m, u32::MAX, u32::MAX)), fault);
    assert_eq!(world.call(|w, m| w.clock_time_get(m, 0, 0, end - 7)), fault);
    assert_eq!(
        world.call(|w, m| w.fd_write(m, 1, u32::MAX - 3, 1, RESULT)),
        fault
    );
    let vector = world.vector(end - 1, 2);
    assert_eq!(world.call(|w, m| w.fd_write(m, 1, vector, 1, RESULT)), fault);
    assert_eq!(
        world.call(|w, m| w.fd_write(m, 1, VECTOR, u32::MAX, RESULT)),
        errno(Errno::Inval)
    );
    assert_eq!(world.call(|w, m| w.path_create_directory(m, 3, end, 1)), fault);
    assert_eq!(world.call(|w, m| w.args_get(m, end - 4, 0)), fault);
    assert_eq!(world.call(|w, m| w.poll_oneoff(m, 0, end - 1, 1, 0)), fault);
    assert_eq!(
        world.call(|w, m| w.fd_readdir(m, 3, end - 1, 2, 0, RESULT)),
        fault
    );
    assert!(world.wasi.stdout.is_empty());
    let mut none = Memory::new(&mut []);
    assert_eq!(world.wasi.fd_filestat_get(&mut none, 1, 0), fault);
}

#[test]
fn arguments_and_environment_arrive() {
    let mut world = World::new(&[], 0);
    world
        .call(|w, m| w.args_sizes_get(m, RESULT, RESULT + 4))
        .expect("sizes");
    assert_eq!(world.bytes[0x20..0x28], [3, 0, 0, 0, 9, 0, 0, 0]);
    world.call(|w, m| w.args_get(m, PATH, DATA)).expect("arguments");
    assert_eq!(world.bytes[0x4000..0x4009], *b"job\0-n\x003\0");
    assert_eq!(world.bytes[0x104..0x108], 0x4004_u32.to_le_bytes());
    world
        .call(|w, m| w.environ_get(m, PATH, DATA))
        .expect("environment");
    assert_eq!(world.bytes[0x4000..0x4007], *b"LANG=C\0");
}

#[test]
fn time_moves_by_readings_and_sleeps_only() {
    let mut world = World::new(&[], 0);
    let read = |world: &mut World| {
        world
            .call(|w, m| w.clock_time_get(m, 1, 0, RESULT))
            .expect("a time");
        world
            .call(|_, m| m.array(RESULT).map(u64::from_le_bytes))
            .expect("in memory")
    };
    let start = read(&mut world);
    assert_eq!(start, 946_684_800_000_000_000);
    assert_eq!(read(&mut world), start + 1_000_000);
    // One clock in five seconds, one in an hour.
    let mut subscriptions = [0; 96];
    subscriptions[24..32].copy_from_slice(&5_000_000_000_u64.to_le_bytes());
    subscriptions[48] = 9;
    subscriptions[72..80].copy_from_slice(&3_600_000_000_000_u64.to_le_bytes());
    world.put(DATA, &subscriptions);
    world
        .call(|w, m| w.poll_oneoff(m, DATA, PATH, 2, RESULT))
        .expect("an event");
    assert_eq!(world.word(), 1);
    assert_eq!(read(&mut world), start + 5_002_000_000);
    assert_eq!(
        world.call(|w, m| w.clock_time_get(m, 4, 0, RESULT)),
        errno(Errno::Inval)
    );
}

#[test]
fn waiting_for_streams_and_strangers_returns_at_once() {
    let mut world = World::new(&[], 0);
    let mut subscriptions = [0; 96];
    subscriptions[8] = 1; // read from descriptor 0
    subscriptions[56] = 2; // write to descriptor 77
    subscriptions[64] = 77;
    world.put(DATA, &subscriptions);
    world
        .call(|w, m| w.poll_oneoff(m, DATA, PATH, 2, RESULT))
        .expect("events");
    assert_eq!(world.word(), 2);
    assert_eq!(
        world.bytes[0x110..0x118],
        5_u64.to_le_bytes(),
        "five bytes to read"
    );
    assert_eq!(u32::from(world.bytes[0x128]), Errno::Badf.code());
}

#[test]
fn descriptors_move_close_and_lose_rights() {
    let mut world = World::new(&[("in/x", b"abc")], 100);
    let fd = world.open("in/x", 0, READ).expect("an input");
    assert_eq!(world.call(|w, m| w.fd_renumber(m, fd, 0)), Ok(()));
    assert_eq!(world.read(0, 10), Ok(b"abc".to_vec()));
    assert_eq!(world.read(fd, 10), errno(Errno::Badf));
    assert_eq!(world.call(|w, m| w.fd_renumber(m, 0, 99)), errno(Errno::Badf));
    assert_eq!(world.call(|w, m| w.fd_fdstat_set_rights(m, 0, 0, 0)), Ok(()));
    assert_eq!(world.read(0, 10), errno(Errno::Notcapable));
    assert_eq!(
        world.call(|w, m| w.fd_fdstat_set_rights(m, 0, READ, 0)),
        errno(Errno::Notcapable)
    );
    assert_eq!(world.call(|w, m| w.fd_close(m, 1)), Ok(()));
    assert_eq!(world.write(1, b"x"), errno(Errno::Badf));
    assert_eq!(world.seek(2, 0, 1), errno(Errno::Spipe));
    assert_eq!(
        world.call(|w, m| w.path_symlink(m, 0, 0, 3, 0, 0)),
        errno(Errno::Notsup)
    );
    assert_eq!(world.call(|w, m| w.sock_shutdown(m, 0, 0)), errno(Errno::Nosys));
}

#[test]
fn calls_cost_what_they_move() {
    let mut world = World::new(&[], 100);
    world.wasi.begin(CALL_FUEL + 10).expect("enough for a call");
    assert_eq!(world.write(1, b"0123456789"), Ok(10));
    assert_eq!(world.wasi.fuel_left(), 0);
    assert_eq!(world.wasi.begin(CALL_FUEL - 1), Err(Stop::OutOfFuel.into()));
    world.wasi.begin(CALL_FUEL + 10).expect("enough for a call");
    assert_eq!(
        world.call(|w, m| w.random_get(m, 0, 11)),
        Err(Stop::OutOfFuel.into())
    );
}
