//! The program itself: what it prints and writes, exit codes, and what it says about bad input.
use serde_json::{Value, json};
use std::{
    fs,
    io::Write as _,
    path::Path,
    process::{Command, Output, Stdio},
};

fn icn_clear(directory: &Path, args: &[&str], stdin: &[u8]) -> Output {
    let mut child = Command::new(env!("CARGO_BIN_EXE_icn-clear"))
        .args(args)
        .current_dir(directory)
        .env_clear()
        // Where `cargo xtask coverage` wants to be told which lines ran.
        .envs(std::env::var_os("LLVM_PROFILE_FILE").map(|file| ("LLVM_PROFILE_FILE", file)))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("icn-clear starts");
    // What refuses its input early does not read all of it.
    let _ = child.stdin.take().expect("a pipe").write_all(stdin);
    child.wait_with_output().expect("icn-clear ends")
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).expect("text")
}

/// stdout of a run that must succeed, without a word on stderr.
fn done(directory: &Path, args: &[&str], stdin: &str) -> String {
    let output = icn_clear(directory, args, stdin.as_bytes());
    assert_eq!(text(&output.stderr), "", "{args:?}");
    assert_eq!(output.status.code(), Some(0), "{args:?}");
    text(&output.stdout)
}

/// stderr of a run that must be refused, without a word on stdout.
fn refused(directory: &Path, args: &[&str], stdin: &[u8]) -> String {
    let output = icn_clear(directory, args, stdin);
    assert_eq!(text(&output.stdout), "", "{args:?}");
    assert_eq!(
        output.status.code(),
        Some(1),
        "{args:?}: {}",
        text(&output.stderr)
    );
    text(&output.stderr)
}

const TANGLE: &str = "\
debtor,creditor,amount
bakery,mill,500
mill,farm,300
farm,bakery,400
\"farm, old\",farm,25
mill,farm,50
mill,mill,9
";

#[test]
fn clears_and_writes_what_can_be_checked() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    fs::write(here.join("in.csv"), TANGLE).unwrap();
    let args = [
        "in.csv",
        "--out",
        "out.csv",
        "--certificate",
        "cert.csv",
        "--net=net.csv",
    ];
    let said = done(here, &args, "");
    for line in [
        "parties      4",
        "obligations  6",
        "gross        1284",
        "cleared      1059",
        "share        82.47 %",
        "remaining    225",
        "netted to    150 in 3 obligations",
    ] {
        assert!(said.lines().any(|said| said == line), "{line} in {said}");
    }
    assert_eq!(
        fs::read_to_string(here.join("out.csv")).unwrap(),
        "debtor,creditor,amount,cleared,remainder\nbakery,mill,500,350,150\nmill,farm,300,300,0\n\
         farm,bakery,400,350,50\n\"farm, old\",farm,25,0,25\nmill,farm,50,50,0\nmill,mill,9,9,0\n"
    );
    assert_eq!(
        fs::read_to_string(here.join("cert.csv")).unwrap(),
        "party,price\nbakery,2\nmill,3\nfarm,1\n\"farm, old\",0\n"
    );
    assert_eq!(
        fs::read_to_string(here.join("net.csv")).unwrap(),
        "debtor,creditor,amount\nbakery,mill,100\nfarm,mill,25\n\"farm, old\",mill,25\n"
    );
    let said = done(here, &["check", "in.csv", "out.csv", "cert.csv"], "");
    assert_eq!(said, "verified: 1059 of 1284 are cleared, and no more can be\n");

    // From a pipe, without a header, with a byte order mark and Windows line ends: the same.
    let (_, rows) = TANGLE.split_once('\n').unwrap();
    let rows = format!("\u{feff}{}", rows.replace('\n', "\r\n"));
    let value: Value = serde_json::from_str(&done(here, &["-", "--json"], &rows)).unwrap();
    let network = &value["networks"][0];
    assert_eq!(
        (&network["cleared"], &network["share_percent"]),
        (&json!(1059), &json!("82.47"))
    );
    let said = done(here, &["check", "-", "out.csv", "cert.csv", "--json"], &rows);
    assert_eq!(
        serde_json::from_str::<Value>(&said).unwrap()["verified"],
        json!(true)
    );
}

#[test]
fn units_never_mix() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let rows = "a,b,10,EUR\nb,a,4,hours\nb,a,6,EUR\nc,d,1,hours\n";
    let args = [
        "-",
        "--json",
        "--out",
        "out.csv",
        "--certificate",
        "cert.csv",
        "--net",
    ];
    let value: Value = serde_json::from_str(&done(here, &args, rows)).unwrap();
    let cleared = |at: usize| {
        (
            value["networks"][at]["unit"].clone(),
            value["networks"][at]["cleared"].clone(),
        )
    };
    assert_eq!(cleared(0), (json!("EUR"), json!(12)));
    assert_eq!(cleared(1), (json!("hours"), json!(0)));
    assert_eq!(
        value["networks"][1]["netted"],
        json!({ "obligations": 2, "total": 5 })
    );
    assert_eq!(
        fs::read_to_string(here.join("out.csv")).unwrap(),
        "debtor,creditor,amount,unit,cleared,remainder\na,b,10,EUR,6,4\nb,a,4,hours,0,4\nb,a,6,EUR,6,0\n\
         c,d,1,hours,0,1\n"
    );
    let said = done(here, &["check", "-", "out.csv", "cert.csv"], rows);
    assert_eq!(said.lines().count(), 2);
}

#[test]
fn names_are_kept_as_they_are() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let rows = "007,7,5\n7,007,3\n4294967296,0,1\n00,0,2\n 7,7,1\n";
    done(here, &["-", "--out", "out.csv"], rows);
    let out = fs::read_to_string(here.join("out.csv")).unwrap();
    let kept: Vec<_> = out
        .lines()
        .skip(1)
        .map(|line| line.rsplitn(3, ',').last().unwrap())
        .collect();
    assert_eq!(kept, rows.lines().collect::<Vec<_>>());
}

#[test]
fn nothing_is_cleared_of_nothing() {
    let directory = tempfile::tempdir().unwrap();
    for input in ["", "debtor,creditor,amount\n", "Debtor,Creditor,Amount,Unit\n"] {
        let said = done(directory.path(), &["-"], input);
        assert!(said.contains("obligations  0\n"), "{said}");
    }
}

#[test]
fn bad_input_is_refused_with_its_line() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let cases: [(&[u8], &str); 21] = [
        (b"a,b,1\nb,c,-5\n", "-, line 2: the amount -5 is negative"),
        (b"a,b,1\nb,c,0\n", "-, line 2: the amount is zero"),
        (
            b"a,b,1\nb,c,1.5\n",
            "-, line 2: the amount `1.5` is not a whole number",
        ),
        (b"a,b,1\nb,c,\n", "-, line 2: the amount is missing"),
        (
            b"a,b,1\nb,c, 5\n",
            "-, line 2: the amount ` 5` is not a whole number",
        ),
        (b"a,b,1\n\nb,c\n", "-, line 3: 2 fields instead of 3"),
        (b"a,b,1\nb,c,1,EUR\n", "-, line 2: 4 fields instead of 3"),
        (
            b"a,b\n",
            "-, line 1: 2 fields instead of debtor,creditor,amount and perhaps unit",
        ),
        (b"a,b,1\n,c,1\n", "-, line 2: the debtor is missing"),
        (
            b"a,b,9223372036854775808\n",
            "-, line 1: the amount 9223372036854775808 is more than 2^63 - 1",
        ),
        (
            b"a,b,9223372036854775807\nb,a,1\n",
            "-, line 2: the amounts up to here add up to more than 2^63 - 1",
        ),
        (b"a,b,99999999999999999999999999\n", "is more than 2^63 - 1"),
        (
            b"von,an,betrag\na,b,1\n",
            "-, line 1: neither a row nor the header debtor,creditor,amount",
        ),
        (
            b"a;b;1\n",
            "-, line 1: fields are separated by semicolons: commas are expected",
        ),
        (
            b"a,b,1\nM\xfcller,b,1\n",
            "-, line 2: this is not UTF-8: save the file as CSV UTF-8",
        ),
        (
            b"\xff\xfea\0,\0b\0,\x001\0",
            "-, line 1: this looks like UTF-16: save the file as CSV UTF-8",
        ),
        (b"a,b,1,\n", "-, line 1: the unit is missing"),
        (
            b"a,b,1\r\n\r\n\"b\",c,1\r\nb,c\r\n",
            "-, line 4: 2 fields instead of 3",
        ),
        (
            b"a,b,1\n\"b,c,1\n",
            "-, line 2: a quote is not closed on its line",
        ),
        (
            b"debtor,creditor,amount\r\"a\",b,5\rc,d,9\r",
            "-, line 1: a carriage return (CR) ends no line",
        ),
        (
            b"a,b,1\n\"b\",c,5\rc,d,9\n",
            "-, line 2: a carriage return (CR) ends no line",
        ),
    ];
    for (input, reason) in cases {
        let said = refused(here, &["-"], input);
        assert!(
            said.starts_with("icn-clear: ") && said.contains(reason),
            "{reason} in {said}"
        );
    }
    let long = format!("{},b,1\n", "x".repeat(2000));
    assert!(refused(here, &["-"], long.as_bytes()).contains("the debtor is longer than 1024 bytes"));
    let long = "x".repeat(1 << 20);
    assert!(refused(here, &["-"], long.as_bytes()).contains("-, line 1: longer than 16384 bytes"));
    assert!(refused(here, &["none.csv"], b"").contains("cannot read none.csv"));
    let said = refused(here, &["-", "--out", "no/out.csv"], b"a,b,1\n");
    assert!(said.contains("cannot write no/out.csv"), "{said}");
}

#[test]
fn what_is_too_much_for_the_memory_is_refused_early() {
    let directory = tempfile::tempdir().unwrap();
    let rows: String = (0..70_000).map(|at| format!("{at},{},1\n", at + 1)).collect();
    let said = refused(directory.path(), &["-", "--max-memory", "8"], rows.as_bytes());
    assert!(
        said.contains("line 65536: 65536 obligations of 65537 parties take about 22 MiB"),
        "{said}"
    );
}

#[test]
fn a_command_that_is_not_understood_ends_with_2() {
    let directory = tempfile::tempdir().unwrap();
    for args in [
        &[][..],
        &["--wrong"],
        &["check", "in.csv"],
        &["generate", "ring", "0"],
    ] {
        assert_eq!(
            icn_clear(directory.path(), args, b"").status.code(),
            Some(2),
            "{args:?}"
        );
    }
}

#[test]
fn forged_solutions_are_refused_with_numbers() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    let rows = "a,b,5\nb,a,3\nc,a,2\n";
    fs::write(here.join("in.csv"), rows).unwrap();
    done(
        here,
        &["in.csv", "--out", "out.csv", "--certificate", "cert.csv"],
        "",
    );
    let good_out = fs::read_to_string(here.join("out.csv")).unwrap();
    let good_cert = fs::read_to_string(here.join("cert.csv")).unwrap();
    assert_eq!(good_cert, "party,price\na,1\nb,2\nc,0\n");
    let check = ["check", "in.csv", "forged-out.csv", "forged-cert.csv"];
    let forge = |file: &str, from: &str, to: &str| {
        fs::write(here.join("forged-out.csv"), &good_out).unwrap();
        fs::write(here.join("forged-cert.csv"), &good_cert).unwrap();
        let text = fs::read_to_string(here.join(file)).unwrap();
        assert!(text.contains(from), "{from} in {text}");
        fs::write(here.join(file), text.replacen(from, to, 1)).unwrap();
    };
    let (out, cert) = ("forged-out.csv", "forged-cert.csv");
    for (file, from, to, reason) in [
        (cert, "a,1", "a,0", "refused (7): row 1 of the obligations"),
        (cert, "a,1", "a,2", "refused (6): row 1 of the obligations"),
        (cert, "b,2", "b,3", "refused (7): row 1 of the obligations"),
        (cert, "b,2", "b,1", "refused (6): row 1 of the obligations"),
        (cert, "c,0", "c,1", "refused (6): row 3 of the obligations"),
        (cert, "b,2\n", "", "refused (2): a party has no price"),
        (
            cert,
            "b,2\n",
            "b,2\nb,2\n",
            "line 4: refused (2): a second price of one party",
        ),
        (
            cert,
            "c,0",
            "d,0",
            "line 4: refused (12): no obligation names this party",
        ),
        (cert, "c,0", "c,-1", "line 4: the price -1 is negative"),
        (
            cert,
            "party,price\n",
            "",
            "line 1: the header party,price is missing",
        ),
        (out, "a,b,5,3,2", "a,b,5,2,3", "refused (8): party a"),
        (out, "a,b,5,3,2", "a,b,5,3,3", "line 2: refused (11)"),
        (out, "a,b,5,3,2", "a,b,6,3,3", "line 2: refused (10)"),
        (out, "a,b,5,3,2", "b,a,5,3,2", "line 2: refused (10)"),
        (out, "c,a,2,0,2\n", "", "refused (1): fewer rows than obligations"),
        (
            out,
            "c,a,2,0,2\n",
            "c,a,2,0,2\nc,a,2,0,2\n",
            "line 5: refused (1): more rows than obligations",
        ),
        (out, "c,a,2,0,2", "c,a,2,0", "line 4: 4 fields instead of 5"),
    ] {
        forge(file, from, to);
        let said = refused(here, &check, b"");
        assert!(said.contains(reason), "{reason} in {said}");
    }
    // A clearing that is feasible, but clears nothing.
    forge(out, "a,b,5,3,2\nb,a,3,3,0", "a,b,5,0,5\nb,a,3,0,3");
    assert!(refused(here, &check, b"").contains("refused (6): row 2 of the obligations"));
    // The obligations of another round.
    fs::write(here.join("in.csv"), "a,b,5\nb,a,4\nc,a,2\n").unwrap();
    assert!(refused(here, &check, b"").contains("line 3: refused (10)"));
}

#[test]
fn every_family_is_solved_and_checked() {
    let directory = tempfile::tempdir().unwrap();
    let here = directory.path();
    for family in [
        "power-law",
        "barabasi-albert",
        "ring",
        "staircase",
        "chain",
        "grid",
    ] {
        let rows = done(here, &["generate", family, "5000", "--seed", "7"], "");
        assert_eq!(
            rows,
            done(here, &["generate", family, "5000", "--seed", "7"], ""),
            "{family}"
        );
        done(
            here,
            &["-", "--out", "out.csv", "--certificate", "cert.csv", "--net"],
            &rows,
        );
        let said = done(here, &["check", "-", "out.csv", "cert.csv"], &rows);
        assert!(said.starts_with("verified: "), "{family}: {said}");
    }
}
