//! The grammar for editors knows the words of the language, and no others.
use icn_ccl::{
    builtins::{FUNCTIONS, TYPES},
    lexer::{CONTEXT_WORDS, Keyword},
};
use serde_json::Value;
use std::{collections::BTreeSet, fs};

/// The words of the first pattern of a rule, between its parentheses.
fn words(grammar: &Value, rule: &str) -> BTreeSet<String> {
    let pattern = grammar["repository"][rule]["patterns"][0]["match"]
        .as_str()
        .unwrap();
    let inner = pattern.split_once('(').unwrap().1.split_once(')').unwrap().0;
    inner.split('|').map(str::to_owned).collect()
}

#[test]
fn the_grammar_has_the_words_of_the_language() {
    let path = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/../../editors/ccl/ccl.tmLanguage.json"
    );
    let grammar: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    let set =
        |words: &mut dyn Iterator<Item = &'static str>| words.map(str::to_owned).collect::<BTreeSet<_>>();
    assert_eq!(
        words(&grammar, "keywords"),
        set(&mut Keyword::ALL.iter().map(|word| word.text()))
    );
    assert_eq!(words(&grammar, "words"), set(&mut CONTEXT_WORDS.into_iter()));
    assert_eq!(words(&grammar, "types"), set(&mut TYPES.into_iter()));
    let functions = FUNCTIONS
        .iter()
        .map(|(signature, _)| signature.split('(').next().unwrap());
    assert_eq!(words(&grammar, "calls"), set(&mut functions.into_iter()));
    for pattern in grammar["patterns"].as_array().unwrap() {
        let rule = pattern["include"].as_str().unwrap().trim_start_matches('#');
        assert!(grammar["repository"][rule].is_object(), "{rule}");
    }
}
