//! How the program gets its memory from the system.
//!
//! glibc gives each new thread that asks for memory a heap of its own, up to eight for each processor, and a heap keeps
//! what is freed in it. The store's values are made by one thread, held for a while and freed by another, so that
//! heap after heap came to hold as much as was in use at its worst moment: after 1 GiB of blocks was put, 100 MB that
//! nothing used. In a heap that all threads share, one uses what the other has freed. What is small comes from each
//! thread's own store of it as before.

/// How many. With two of them, up to 70 MB more were kept, and a put took no less time.
#[cfg(all(target_os = "linux", target_env = "gnu"))]
const HEAPS: libc::c_int = 1;

/// Lets all threads share one heap, unless the environment has settings of its own for the allocator. Only for a
/// program, at its start: a library leaves this to the program that it is part of.
pub fn share_heap() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        let is_set = |name| std::env::var_os(name).is_some();
        if !is_set("MALLOC_ARENA_MAX") && !is_set("GLIBC_TUNABLES") {
            set_arenas(HEAPS);
        }
    }
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[expect(unsafe_code, reason = "the C library's function has no other form")]
fn set_arenas(most: libc::c_int) {
    // SAFETY: mallopt takes two numbers and no pointer, and locks the allocator while it changes the setting.
    // That it refuses changes nothing, and nothing depends on it.
    let _ = unsafe { libc::mallopt(libc::M_ARENA_MAX, most) };
}
