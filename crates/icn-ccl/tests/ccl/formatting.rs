//! The formatter: it changes nothing but space, and its output is its own fixed point.
use crate::{choices::Choices, examples::examples, programs::program};
use icn_ccl::{format, parse};
use proptest::{
    collection::vec,
    prelude::{ProptestConfig, any, proptest},
};

/// What a source says, but for where it says it.
fn meaning(source: &str) -> String {
    let tree = format!("{:?}", parse(source).0);
    let mut parts = tree.split("Span {");
    let first = parts.next().unwrap().to_owned();
    parts.fold(first, |text, part| text + part.split_once('}').unwrap().1)
}

/// Everything but the space between tokens.
fn without_space(text: &str) -> String {
    text.lines()
        .map(str::trim)
        .collect::<String>()
        .chars()
        .filter(|c| *c != ' ')
        .collect()
}

fn holds(source: &str) {
    let once = format(source).unwrap();
    assert_eq!(format(&once).as_ref(), Ok(&once), "twice is once");
    assert_eq!(without_space(source), without_space(&once), "only space changes");
    assert_eq!(meaning(source), meaning(&once), "the parser reads the same");
}

#[test]
fn comments_and_blank_lines_stay() {
    let source = "contract \"a\"   version 1 language 1 scope federation ; // top\n\n\n\n// own line\nconst A:Int=-1 ;\nfn f(x:Int,y : List< Int >)->Int{ // why\n\n\nlet z=x-1*(-2);if z>0{z}else{\nmatch y.get(0){Some(v)=>v,None=>0}}}\n";
    let laid_out = "contract \"a\" version 1 language 1 scope federation;  // top\n\n// own line\nconst A: Int = -1;\nfn f(x: Int, y: List<Int>) -> Int {  // why\n\n  let z = x - 1 * (-2);\n  if z > 0 { z } else {\n    match y.get(0) { Some(v) => v, None => 0 }\n  }\n}\n";
    assert_eq!(format(source).unwrap(), laid_out);
    holds(source);
}

#[test]
fn what_cannot_be_read_is_not_laid_out() {
    assert!(format("contract").is_err());
}

#[test]
fn examples_keep_their_tokens() {
    for (_, source) in examples() {
        holds(&source);
        // Without any line break but those that end comments.
        let flat: String = source
            .lines()
            .map(|line| {
                if line.contains("//") {
                    format!("{line}\n")
                } else {
                    format!("{line} ")
                }
            })
            .collect();
        holds(&flat);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::default())]
    #[test]
    fn generated_programs_keep_their_meaning(bytes in vec(any::<u8>(), 0..800)) {
        let source = program(&mut Choices::new(&bytes));
        holds(&source);
    }
}
