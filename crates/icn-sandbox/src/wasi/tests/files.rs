//! Files, directories, paths and what bounds them.

use super::*;

#[test]
fn files_are_written_read_and_returned_from_out() {
    let mut world = World::new(&[], 1_000);
    world.mkdir("out/a").expect("a directory");
    let fd = world
        .open("out/a/b.txt", oflags::CREAT, WRITE)
        .expect("a new file");
    assert_eq!(world.write(fd, b"one two"), Ok(7));
    assert_eq!(world.seek(fd, -3, 2), Ok(4));
    assert_eq!(world.read(fd, 100), Ok(b"two".to_vec()));
    assert_eq!(world.seek(fd, 9, 0), Ok(9));
    assert_eq!(world.write(fd, b"!"), Ok(1));
    assert_eq!(world.seek(fd, -10, 0), errno(Errno::Inval));
    world
        .open("tmp/scratch", oflags::CREAT, WRITE)
        .expect("a scratch file");
    let files = world.wasi.finish().files;
    assert_eq!(
        files,
        BTreeMap::from([("a/b.txt".to_owned(), b"one two\0\0!".to_vec())])
    );
}

#[test]
fn no_path_leaves_its_directory() {
    let mut world = World::new(&[("in/x", b"x")], 1_000);
    assert_eq!(world.open("..", 0, READ), errno(Errno::Notcapable));
    assert_eq!(
        world.open("in/../../etc/passwd", 0, READ),
        errno(Errno::Notcapable)
    );
    assert_eq!(world.open("/in/x", 0, READ), errno(Errno::Notcapable));
    assert!(world.open("in/../in/./x", 0, READ).is_ok());
    let out = world
        .open("out", oflags::DIRECTORY, rights::DIRECTORY)
        .expect("a directory");
    assert_eq!(world.open_at(out, "../in/x", 0, READ), errno(Errno::Notcapable));
    assert_eq!(world.rename("../a", "b"), errno(Errno::Notcapable));
    assert_eq!(world.open("in/x/..", 0, READ), errno(Errno::Notdir));
    assert_eq!(world.open("", 0, READ), errno(Errno::Noent));
    assert_eq!(world.open("a\0b", oflags::CREAT, WRITE), errno(Errno::Inval));
}

#[test]
fn inputs_and_fixed_directories_stay_as_they_are() {
    let mut world = World::new(&[("/in/d/x", b"input")], 1_000);
    assert_eq!(world.open("in/d/x", 0, WRITE), errno(Errno::Rofs));
    assert_eq!(world.open("in/d/x", oflags::TRUNC, READ), errno(Errno::Rofs));
    assert_eq!(world.unlink("in/d/x"), errno(Errno::Rofs));
    assert_eq!(world.rename("in/d/x", "out/x"), errno(Errno::Rofs));
    assert_eq!(world.rename("in/d", "out/d"), errno(Errno::Rofs));
    assert_eq!(world.rmdir("out"), errno(Errno::Rofs));
    let own = world
        .open("in/d/own", oflags::CREAT, WRITE)
        .expect("a file beside the input");
    world.write(own, b"mine").expect("it is written");
    assert_eq!(world.rename("in/d/own", "in/d/x"), errno(Errno::Rofs));
    let fd = world.open("in/d/x", 0, READ).expect("an input");
    assert_eq!(world.write(fd, b"no"), errno(Errno::Notcapable));
    assert_eq!(world.read(fd, 100), Ok(b"input".to_vec()));
    assert!(world.wasi.finish().files.is_empty());
}

#[test]
fn renaming_and_removing_follow_posix() {
    let mut world = World::new(&[], 1_000);
    let file = world.open("tmp/f", oflags::CREAT, WRITE).expect("a file");
    world.write(file, b"kept").expect("it is written");
    world.mkdir("tmp/d").expect("a directory");
    world.mkdir("tmp/d/e").expect("a directory");
    assert_eq!(world.rename("tmp/d", "tmp/d/e/g"), errno(Errno::Inval));
    assert_eq!(world.rename("tmp/f", "tmp/d"), errno(Errno::Isdir));
    assert_eq!(world.rename("tmp/d", "tmp/f"), errno(Errno::Notdir));
    assert_eq!(world.rmdir("tmp/d"), errno(Errno::Notempty));
    assert_eq!(world.rmdir("tmp/f"), errno(Errno::Notdir));
    assert_eq!(world.unlink("tmp/d"), errno(Errno::Isdir));
    assert_eq!(world.rename("tmp/none", "tmp/f"), errno(Errno::Noent));
    assert_eq!(world.rename("tmp/d/e", "out/e"), Ok(()));
    assert_eq!(world.rename("tmp/f", "out/e/f"), Ok(()));
    assert_eq!(world.rename("out/e/f", "out/e/f"), Ok(()));
    assert_eq!(world.rmdir("tmp/d"), Ok(()));
    let files = world.wasi.finish().files;
    assert_eq!(files, BTreeMap::from([("e/f".to_owned(), b"kept".to_vec())]));
}

#[test]
fn bytes_are_counted_while_they_are_held() {
    let mut world = World::new(&[], 10);
    let fd = world.open("tmp/f", oflags::CREAT, WRITE).expect("a file");
    assert_eq!(world.write(fd, &[1; 8]), Ok(8));
    world.unlink("tmp/f").expect("it is removed");
    // It is still open, so still held.
    let other = world.open("out/g", oflags::CREAT, WRITE).expect("a file");
    assert_eq!(world.write(other, &[1; 2]), Ok(2));
    assert_eq!(world.call(|w, m| w.fd_close(m, fd)), Ok(()));
    assert_eq!(world.write(other, &[1; 8]), Ok(8));
    assert_eq!(world.write(other, &[1]), Err(Stop::OutputLimit.into()));
    assert_eq!(world.call(|w, m| w.fd_filestat_set_size(m, other, 4)), Ok(()));
    assert_eq!(
        world.call(|w, m| w.fd_allocate(m, other, 0, u64::MAX)),
        Err(Stop::OutputLimit.into())
    );
    assert_eq!(world.seek(other, i64::MAX, 0), Ok(i64::MAX.cast_unsigned()));
    assert_eq!(world.write(other, &[1]), Err(Stop::OutputLimit.into()));
    assert_eq!(world.write(1, b"seven..."), Err(Stop::OutputLimit.into()));
    assert_eq!(world.wasi.finish().stdout, b"seven.");
}

#[test]
fn directories_are_listed_in_order_even_while_they_are_emptied() {
    let mut world = World::new(&[], 1_000);
    world.mkdir("tmp/d").expect("a directory");
    for name in ["zwei", "eins", "ö", "drei"] {
        world
            .open(&format!("tmp/d/{name}"), oflags::CREAT, WRITE)
            .expect("a file");
    }
    let fd = world
        .open("tmp/d", oflags::DIRECTORY, rights::DIRECTORY)
        .expect("a directory");
    let expected = [".", "..", "drei", "eins", "zwei", "ö"];
    assert_eq!(world.list(fd, 4_000), expected);
    assert_eq!(world.list(fd, 40), expected);
    world
        .call(|w, m| w.fd_readdir(m, fd, DATA, 90, 0, RESULT))
        .expect("a part");
    for name in ["zwei", "eins", "ö", "drei"] {
        world.unlink(&format!("tmp/d/{name}")).expect("it is removed");
    }
    world
        .call(|w, m| w.fd_readdir(m, fd, DATA, 4_000, 4, RESULT))
        .expect("the rest");
    assert_eq!(
        world.word(),
        24 + 4 + 24 + 2,
        "two names remain of the listing that began before"
    );
    world.rmdir("tmp/d").expect("it is empty");
    assert_eq!(
        world.open_at(fd, "new", oflags::CREAT, WRITE),
        errno(Errno::Noent)
    );
}

#[test]
fn everything_is_bounded() {
    let mut world = World::new(&[], 1_000);
    for _ in 4..DESCRIPTORS_MAX {
        world.open("tmp", 0, rights::DIRECTORY).expect("a descriptor");
    }
    assert_eq!(world.open("tmp", 0, rights::DIRECTORY), errno(Errno::Mfile));
    assert_eq!(world.open("tmp/f", oflags::CREAT, WRITE), errno(Errno::Mfile));
    assert_eq!(
        world.unlink("tmp/f"),
        errno(Errno::Noent),
        "what cannot be opened is not created"
    );

    let mut path = "tmp".to_owned();
    while path.split('/').count() < fs::DEPTH_MAX - 1 {
        path += "/d";
        world.mkdir(&path).expect("a directory");
    }
    assert_eq!(world.mkdir(&format!("{path}/d")), errno(Errno::Nametoolong));
    world
        .mkdir("out/a")
        .and_then(|()| world.mkdir("out/a/b"))
        .expect("directories");
    assert_eq!(
        world.rename("out/a", &format!("{path}/a")),
        errno(Errno::Nametoolong)
    );
    assert_eq!(
        world.mkdir(&"n".repeat(fs::NAME_MAX_BYTES + 1)),
        errno(Errno::Nametoolong)
    );
    assert_eq!(
        world.mkdir(&"./".repeat(fs::PATH_MAX_BYTES)),
        errno(Errno::Nametoolong)
    );

    let made = (0..)
        .take_while(|i| world.mkdir(&format!("out/{i}")).is_ok())
        .count();
    assert!(made < fs::NODES_MAX);
    assert_eq!(world.mkdir("out/one-more"), errno(Errno::Nospc));
}

#[test]
fn inputs_that_do_not_fit_are_refused_before_the_run() {
    let cases = [
        ("in/../x", InputError::Path),
        ("", InputError::Path),
        ("/", InputError::Path),
        ("in//x", InputError::Path),
        ("in/\0", InputError::Path),
        ("out", InputError::Conflict),
        ("out/x", InputError::UnderOut),
        ("in", InputError::Conflict),
    ];
    for (path, error) in cases {
        let mut fs = FileSystem::new();
        assert_eq!(fs.add_input(path, Bytes::new()), Err(error), "{path:?}");
    }
    let mut fs = FileSystem::new();
    assert_eq!(fs.add_input("a/b", Bytes::new()), Ok(()));
    assert_eq!(fs.add_input("/a/b", Bytes::new()), Err(InputError::Conflict));
    assert_eq!(fs.add_input("a/b/c", Bytes::new()), Err(InputError::Conflict));
    assert_eq!(
        fs.add_input(&"d/".repeat(40), Bytes::new()),
        Err(InputError::TooLong)
    );
}
