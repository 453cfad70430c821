//! The job modules that ship, each compared with the same computation done independently here.

mod common;

use std::collections::BTreeMap;

use common::{LIMITS, job_file, run_with};
use icn_sandbox::{Exit, Invocation, Limits, Outcome};
use sha2::{Digest, Sha256};

fn run_job(job: &str, args: &[&str], invocation: Invocation) -> Outcome {
    let args = args.iter().map(|&arg| arg.to_owned()).collect();
    let limits = Limits {
        fuel: 2_000_000_000,
        memory_bytes: 16 << 20,
        ..LIMITS
    };
    run_with(
        &job_file(&format!("{job}/module.wasm")),
        &Invocation {
            args,
            limits,
            ..invocation
        },
    )
}

fn with_inputs(inputs: &[(&str, Vec<u8>)]) -> Invocation {
    let inputs = inputs
        .iter()
        .map(|(path, bytes)| ((*path).to_owned(), bytes.clone().into()));
    Invocation {
        inputs: inputs.collect(),
        ..Invocation::default()
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn text(bytes: &[u8]) -> &str {
    std::str::from_utf8(bytes).expect("the job prints UTF-8")
}

/// The same definition of a word, over characters instead of bytes.
fn word_frequencies(text: &str) -> String {
    let is_letter = |c: char| match c {
        '\u{80}'..='\u{bf}' => matches!(c, 'ª' | 'µ' | 'º'),
        '\u{2000}'..='\u{206f}' => false,
        _ => !c.is_ascii() || c.is_ascii_alphanumeric(),
    };
    let characters: Vec<char> = text.chars().collect();
    let belongs = |i: usize| {
        let neighbour = |i: Option<usize>| i.and_then(|i| characters.get(i)).is_some_and(|c| is_letter(*c));
        is_letter(characters[i])
            || (characters[i] == '\'' && neighbour(i.checked_sub(1)) && neighbour(Some(i + 1)))
    };
    let mut counts: BTreeMap<String, u64> = BTreeMap::new();
    let mut word = String::new();
    for i in 0..characters.len() {
        if belongs(i) {
            word.push(characters[i].to_ascii_lowercase());
        }
        if !word.is_empty() && (i + 1 == characters.len() || !belongs(i + 1)) {
            *counts.entry(std::mem::take(&mut word)).or_default() += 1;
        }
    }
    let mut counts: Vec<_> = counts.into_iter().collect();
    counts.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    counts
        .iter()
        .map(|(word, count)| format!("{count}\t{word}\n"))
        .collect()
}

#[test]
fn noop_does_nothing() {
    let outcome = run_job("noop", &[], Invocation::default());
    assert_eq!(
        (outcome.exit, outcome.stdout.len(), outcome.files.len()),
        (Exit::Code(0), 0, 0)
    );
}

#[test]
fn memory_touch_takes_all_that_it_may() {
    let outcome = run_job("memory-touch", &[], Invocation::default());
    assert_eq!(
        (outcome.exit, outcome.peak_memory_bytes),
        (Exit::Code(0), 16 << 20)
    );
    // A unit of fuel for each byte that is written.
    assert!(outcome.fuel_used > 16 << 20);
}

#[test]
fn words_are_counted_from_standard_input_and_from_a_file() {
    let essay = job_file("inputs/cooperation.txt");
    let expected = word_frequencies(text(&essay));
    let outcome = run_job(
        "word-frequencies",
        &[],
        Invocation {
            stdin: essay.clone().into(),
            ..Invocation::default()
        },
    );
    assert_eq!(
        (outcome.exit, text(&outcome.stdout)),
        (Exit::Code(0), expected.as_str())
    );
    assert!(expected.contains("\tseñoras\n") && expected.contains("\tit's\n"));

    let outcome = run_job(
        "word-frequencies",
        &["-n", "5", "/in/essay.txt"],
        with_inputs(&[("/in/essay.txt", essay)]),
    );
    let first_five: String = expected.split_inclusive('\n').take(5).collect();
    assert_eq!(
        (outcome.exit, text(&outcome.stdout)),
        (Exit::Code(0), first_five.as_str())
    );
}

#[test]
fn words_are_what_the_job_says_they_are() {
    for case in [
        "",
        "one",
        "O'Neill 'quoted' dogs' it's''s '",
        "“Quote” – dash…no-break\u{a0}space «Größe» 10µm ¿qué?",
        "日本語 日本語 русский Русский 🙂🙂 a🙂b",
        "tie b tie a b a",
    ] {
        let stdin = case.as_bytes().to_vec().into();
        let outcome = run_job(
            "word-frequencies",
            &[],
            Invocation {
                stdin,
                ..Invocation::default()
            },
        );
        assert_eq!(text(&outcome.stdout), word_frequencies(case), "{case:?}");
    }
    let not_utf8 = Invocation {
        stdin: b"a\xff\xfe b\xe2\x80".to_vec().into(),
        ..Invocation::default()
    };
    assert_eq!(
        run_job("word-frequencies", &[], not_utf8).stdout,
        b"1\ta\xff\xfe\n1\tb\xe2\x80\n"
    );
}

#[test]
fn jobs_say_what_is_wrong() {
    let outcome = run_job("word-frequencies", &["-n", "x"], Invocation::default());
    assert_eq!(outcome.exit, Exit::Code(2));
    assert_eq!(
        text(&outcome.stderr),
        "word-frequencies: -n needs a number, not x\n"
    );
    let outcome = run_job("word-frequencies", &["/in/none"], Invocation::default());
    assert_eq!(outcome.exit, Exit::Code(1));
    assert_eq!(text(&outcome.stderr), "word-frequencies: cannot open /in/none\n");
    let outcome = run_job("checksum", &["/in/none"], Invocation::default());
    assert_eq!(
        (outcome.exit, text(&outcome.stderr)),
        (Exit::Code(1), "checksum: cannot read /in/none\n")
    );
    assert_eq!(
        run_job("mandelbrot", &["0", "1", "1"], Invocation::default()).exit,
        Exit::Code(2)
    );
}

#[test]
fn checksums_are_those_of_sha256sum() {
    // What sha256sum prints for the files that ship.
    const STOCK: &str = "ff044952122a6d4e66941a16c21002249610c9f9ad4b9ca38ac4e00a1e80aea2";
    const LENT: &str = "a32a31b27b2c750d51ec0d855a0970869d1fbdbaf557c59254635d8cd33875d5";
    const EMPTY: &str = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
    let inputs = with_inputs(&[
        ("/in/stock.txt", job_file("inputs/checksum/stock.txt")),
        ("/in/lent.csv", job_file("inputs/checksum/lent.csv")),
        ("/in/a/empty", job_file("inputs/checksum/empty")),
        ("/elsewhere", b"not under /in".to_vec()),
    ]);
    let outcome = run_job("checksum", &[], inputs.clone());
    let expected = format!("{EMPTY}  /in/a/empty\n{LENT}  /in/lent.csv\n{STOCK}  /in/stock.txt\n");
    assert_eq!(
        (outcome.exit, text(&outcome.stdout)),
        (Exit::Code(0), expected.as_str())
    );

    let outcome = run_job(
        "checksum",
        &["in/stock.txt", "/in/none", "/in/../in/a/empty"],
        inputs,
    );
    let expected = format!("{STOCK}  in/stock.txt\n{EMPTY}  /in/../in/a/empty\n");
    assert_eq!(
        (outcome.exit, text(&outcome.stdout)),
        (Exit::Code(1), expected.as_str())
    );
}

#[test]
fn checksums_are_right_at_every_block_boundary() {
    let lengths = [1, 55, 56, 63, 64, 65, 119, 120, 128, 65_536, 200_001];
    let files: Vec<(String, Vec<u8>)> = lengths
        .iter()
        .map(|len| {
            (
                format!("/in/{len:06}"),
                (0..*len).map(|i| u8::try_from(i % 251).unwrap()).collect(),
            )
        })
        .collect();
    let expected: String = files
        .iter()
        .map(|(path, bytes)| format!("{}  {path}\n", hex(&Sha256::digest(bytes))))
        .collect();
    let inputs: Vec<_> = files
        .iter()
        .map(|(path, bytes)| (path.as_str(), bytes.clone()))
        .collect();
    assert_eq!(
        text(&run_job("checksum", &[], with_inputs(&inputs)).stdout),
        expected
    );
}

/// The bytes of a PNG's chunk, and what follows the chunk. CRCs are compared by [`crc`].
fn chunk<'a>(png: &'a [u8], kind: &[u8; 4]) -> (&'a [u8], &'a [u8]) {
    let len = u32::from_be_bytes(png[..4].try_into().expect("four bytes")) as usize;
    assert_eq!(&png[4..8], kind);
    assert_eq!(png[8 + len..12 + len], crc(&png[4..8 + len]).to_be_bytes());
    (&png[8..8 + len], &png[12 + len..])
}

fn crc(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(u32::MAX, |crc, byte| {
        (0..8).fold(crc ^ u32::from(*byte), |crc, _| {
            (crc >> 1) ^ (0xedb8_8320 & 0_u32.wrapping_sub(crc & 1))
        })
    })
}

/// Undoes a zlib stream of stored blocks.
fn stored(mut zlib: &[u8]) -> Vec<u8> {
    assert_eq!(zlib[..2], [0x78, 0x01]);
    zlib = &zlib[2..];
    let mut data = Vec::new();
    loop {
        let len = u16::from_le_bytes([zlib[1], zlib[2]]);
        assert_eq!(!len, u16::from_le_bytes([zlib[3], zlib[4]]));
        let (last, end) = (zlib[0] == 1, 5 + usize::from(len));
        data.extend_from_slice(&zlib[5..end]);
        zlib = &zlib[end..];
        if last {
            break;
        }
    }
    let (a, b) = data.iter().fold((1_u32, 0_u32), |(a, b), byte| {
        let a = (a + u32::from(*byte)) % 65_521;
        (a, (b + a) % 65_521)
    });
    assert_eq!(zlib, (b << 16 | a).to_be_bytes());
    data
}

#[test]
fn the_mandelbrot_set_is_drawn_point_by_point() {
    let (width, height, iterations) = (320_u32, 240_u32, 300_u32);
    let outcome = run_job(
        "mandelbrot",
        &["320", "240", "300", "-0.75", "0.1", "0.02"],
        Invocation::default(),
    );
    assert_eq!(outcome.exit, Exit::Code(0));
    assert_eq!(outcome.files.keys().collect::<Vec<_>>(), ["mandelbrot.png"]);
    let png = outcome.files["mandelbrot.png"].as_slice();
    assert_eq!(&png[..8], b"\x89PNG\r\n\x1a\n");
    let (header, rest) = chunk(&png[8..], b"IHDR");
    assert_eq!(
        header,
        [width.to_be_bytes(), height.to_be_bytes(), [8, 3, 0, 0]]
            .concat()
            .into_iter()
            .chain([0])
            .collect::<Vec<_>>()
    );
    let (palette, rest) = chunk(rest, b"PLTE");
    assert_eq!((palette.len(), &palette[..3]), (768, &[0, 0, 0][..]));
    let (image, rest) = chunk(rest, b"IDAT");
    assert_eq!(chunk(rest, b"IEND"), (&[][..], &[][..]));

    let mut expected = Vec::new();
    let (mut inside, mut total) = (0_u64, 0_u64);
    let step = 0.02 / f64::from(width);
    for row in 0..height {
        expected.push(0);
        for column in 0..width {
            let re = -0.75 + (f64::from(column) - f64::from(width) / 2.0) * step;
            let im = 0.1 + (f64::from(height) / 2.0 - f64::from(row)) * step;
            let (mut x, mut y, mut time) = (0.0_f64, 0.0_f64, 0);
            while time < iterations && x * x + y * y <= 4.0 {
                (x, y) = (x * x - y * y + re, 2.0 * x * y + im);
                time += 1;
            }
            inside += u64::from(time == iterations);
            total += u64::from(time);
            expected.push(if time == iterations {
                0
            } else {
                u8::try_from(1 + time % 255).unwrap()
            });
        }
    }
    assert!(stored(image) == expected, "the pictures differ");
    let line = format!("320x240 inside={inside} iterations={total}\n");
    assert_eq!(text(&outcome.stdout), line);
    assert_eq!(
        hex(&Sha256::digest(png)),
        "3cfd44ab8585e26ce82859b18d71722d49306fd7e6a9ceb24c9a92c1f853ac5c"
    );
}

#[test]
fn modules_are_what_their_sources_say() {
    let listed = String::from_utf8(job_file("MODULES")).expect("MODULES is text");
    let lines: Vec<Vec<&str>> = listed
        .lines()
        .filter(|line| !line.starts_with('#'))
        .map(|line| line.split(' ').collect())
        .collect();
    assert_eq!(lines.len(), 12);
    for line in lines {
        let [module, source_hash, module_hash, toolchain] = line[..] else {
            panic!("{line:?}")
        };
        let (directory, file) = module.split_once('/').expect("modules are in directories");
        let stem = file.trim_end_matches(".wasm");
        let source = match (directory, stem) {
            ("hostile", "garbage") => "hostile/garbage.txt".to_owned(),
            ("hostile", _) => format!("hostile/{stem}.wat"),
            _ if toolchain.starts_with("wat-") => format!("{directory}/{directory}.wat"),
            _ => format!("{directory}/{directory}.c"),
        };
        assert_eq!(
            hex(&Sha256::digest(job_file(&source))),
            source_hash,
            "{source} changed; run jobs/build.sh"
        );
        assert_eq!(
            hex(&Sha256::digest(job_file(module))),
            module_hash,
            "{module} changed; run jobs/build.sh"
        );
        if toolchain.starts_with("wat-") {
            let text = String::from_utf8(job_file(&source)).expect("it is text");
            assert_eq!(common::wat(&text), job_file(module), "{source}");
        }
    }
}
