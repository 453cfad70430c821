//! Every kind of diagnostic: what brings it about, and that it comes alone, at the right place, with help.
use icn_ccl::{
    Modules, NoModules, Sources, check,
    diagnostic::{Code, Diagnostic},
};

const HEADER: &str = "contract \"wrong\" version 1 language 1 scope federation;\n";
const ROLE: &str = "role member { may vote; }\n";
const PROCESS: &str = "process p { proposal: budget; electorate: members; method: yes_no; quorum: 1/2; threshold: more than 1/2; duration: 1 day; executes: nothing; }\n";

fn found(source: &str) -> (Vec<Diagnostic>, Sources) {
    let checked = check(source, &NoModules);
    assert_eq!(
        checked.program.is_none(),
        checked.diagnostics.iter().any(|found| !found.code.is_warning())
    );
    (checked.diagnostics, checked.sources)
}

/// Code, source behind the header, and the text that it points at.
const CASES: &[(Code, &str, &str)] = &[
    (Code::UnknownCharacter, "fn f(a: Bool) -> Bool { a && a }", "&&"),
    (Code::OpenText, "const A: Text = \"open;", "\"open;"),
    (Code::BadEscape, "const A: Text = \"\\q\";", "\"\\q\""),
    (Code::BadEscape, "const A: Text = \"a { b\";", "\"a { b\""),
    (
        Code::BadNumber,
        "const A: Int = 9_223_372_036_854_775_808;",
        "9_223_372_036_854_775_808",
    ),
    (Code::BadNumber, "const A: Ratio = 0.5;", "0.5"),
    (Code::BadNumber, "const A: Mana = 0.0001 mana;", "0.0001 mana"),
    (Code::BadNumber, "const A: Mana = -1 mana;", "-1 mana"),
    (Code::UnexpectedToken, "fn f() -> Int { let x = 1 }", "1"),
    (Code::UnexpectedToken, "fn f(a: Int) -> Bool { 1 < a < 3 }", "<"),
    (Code::UnexpectedToken, "fn if() -> Int { 1 }", "if"),
    (Code::TooMany, "unit tiny decimals 9;", "tiny"),
    (Code::DuplicateName, "const A: Int = 1;\nconst A: Int = 2;", "A"),
    (
        Code::DuplicateName,
        "fn f(a: Int) -> Int { let b = a; for b in [b] { } a }",
        "b",
    ),
    (Code::ReservedName, "fn min() -> Int { 1 }", "min"),
    (Code::ReservedName, "record ManaInput { a: Int }", "ManaInput"),
    (
        Code::UnknownName,
        "const FIRST: Int = 1;\nfn f() -> Int { FRIST }",
        "FRIST",
    ),
    (Code::UnknownName, "const A: Duration = 3 dayz;", "dayz"),
    (Code::UnknownName, "fn f() -> Int { g(1) }", "g"),
    (Code::UnknownType, "fn f(a: Strin) -> Int { 1 }", "Strin"),
    (
        Code::UnknownField,
        "policy mana_rate(input) { input.base_rat }",
        "base_rat",
    ),
    (
        Code::UnknownVariant,
        "enum Colour { Red }\nconst A: Colour = Colour.Rd;",
        "Rd",
    ),
    (Code::UnknownMethod, "fn f(a: Ratio) -> Int { a.flor() }", "flor"),
    (Code::WrongType, "fn f() -> Int { \"a\" }", "\"a\""),
    (Code::WrongType, "fn f(a: Ratio) -> Int { a }", "a"),
    (
        Code::WrongOperands,
        "unit eur;\nunit usd;\nfn f(a: Amount<eur>, b: Amount<usd>) -> Bool { a == b }",
        "a == b",
    ),
    (
        Code::WrongOperands,
        "fn f(a: Mana) -> Mana { a * (1/2) }",
        "a * (1/2)",
    ),
    (
        Code::WrongCount,
        "fn g(a: Int) -> Int { a }\nfn f() -> Int { g(1, 2) }",
        "g(1, 2)",
    ),
    (Code::WrongCount, "fn f(a: List) -> Int { 1 }", "List"),
    (
        Code::MissingField,
        "record Pair { a: Int, b: Int }\nconst A: Pair = Pair(a: 1);",
        "Pair(a: 1)",
    ),
    (
        Code::DuplicateField,
        "record One { a: Int }\nconst A: One = One(a: 1, a: 2);",
        "a",
    ),
    (Code::NeedsType, "fn f() -> Int { let x = None; 1 }", "None"),
    (
        Code::NotExhaustive,
        "fn f(a: Option<Bool>) -> Int { match a { None => 0, Some(true) => 1 } }",
        "match a { None => 0, Some(true) => 1 }",
    ),
    (
        Code::UnreachableArm,
        "fn f(a: Bool) -> Int { match a { _ => 0, true => 1 } }",
        "true",
    ),
    (Code::NotAssignable, "fn f(a: Int) -> Int { a = 2; a }", "a"),
    (
        Code::NoValue,
        "fn f(a: Bool) -> Int { let x = if a { require(a, \"\"); } else { }; 1 }",
        "if a { require(a, \"\"); } else { }",
    ),
    (Code::UnusedValue, "fn f(a: Int) -> Int { a + 1; a }", "a + 1"),
    (Code::Recursion, "fn f(a: Int) -> Int { f(a) }", "f(a)"),
    (Code::RecursiveType, "record Tree { leaves: List<Tree> }", "Tree"),
    (Code::ConstantFails, "const A: Ratio = 1 / 0;", "1 / 0"),
    (Code::ConstantFails, "const A: Int = [1][3];", "[1][3]"),
    (
        Code::NotConstant,
        "fn f() -> Int { 1 }\nconst A: Int = f();",
        "f()",
    ),
    (Code::UnknownSlot, "policy mana_rat(input) { 1 mana }", "mana_rat"),
    (Code::UnknownItem, "role member { may vot; }", "vot"),
    (Code::BadProcess, "process p { proposal: remove; }", "remove"),
    (
        Code::BadProcess,
        "process p { proposal: budget; electorate: members; method: yes_no; quorum: 0; threshold: more than 1/2; duration: 1 day; executes: nothing; }",
        "0",
    ),
    (
        Code::BadProcess,
        "process p { proposal: budget; electorate: members; method: yes_no; quorum: 1/2; threshold: more than 1; duration: 1 day; executes: nothing; }",
        "more than 1",
    ),
    (
        Code::BadProcess,
        "process p { proposal: budget; electorate: members; method: yes_no; quorum: 1/2; threshold: at least 3/2; duration: 1 day; executes: nothing; }",
        "at least 3/2",
    ),
    (
        Code::BadProcess,
        "process p { proposal: budget; electorate: members; method: consent; quorum: 1/2; threshold: more than 1/2; duration: 1 day; executes: nothing; }",
        "more than 1/2",
    ),
    (
        Code::WrongType,
        "process p { proposal: budget; electorate: members; method: yes_no; quorum: 1/2; threshold: 1/2; duration: 1 day; executes: nothing; }",
        "1/2",
    ),
    (
        Code::MissingField,
        "process p { proposal: budget; electorate: members; method: yes_no; quorum: 1/2; threshold: more than 1/2; executes: nothing; }",
        "p",
    ),
    (
        Code::ImportFails,
        "import \"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku\" as lib;",
        "\"bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku\"",
    ),
    (Code::ImportFails, "import \"nonsense\" as lib;", "\"nonsense\""),
    (
        Code::NotKey,
        "fn f(a: Map<List<Int>, Int>) -> Int { 1 }",
        "Map<List<Int>, Int>",
    ),
    (Code::NotText, "fn f(a: List<Int>) -> Text { \"{a}\" }", "a"),
    (
        Code::BadLiteral,
        "const A: Did = did(\"did:web:a\");",
        "did(\"did:web:a\")",
    ),
    (
        Code::OnlyInTests,
        "fn f() -> Int { expect(true); 1 }",
        "expect(true)",
    ),
    (Code::UnreachableCode, "fn f() -> Int { return 1; 2 }", "2"),
    (Code::UnusedName, "fn f() -> Int { let x = 1; 2 }", "x"),
];

#[test]
fn each_fault_is_found_alone_where_it_is() {
    let mut wrong = Vec::new();
    for (code, source, place) in CASES {
        let (diagnostics, sources) = found(&format!("{HEADER}{source}"));
        let shown = |found: &Diagnostic| (found.code, sources.text(found.span()).to_owned());
        let shown: Vec<_> = diagnostics.iter().map(shown).collect();
        if !shown.contains(&(*code, (*place).to_owned())) || (shown.len() > 1 && !code.is_warning()) {
            wrong.push(format!("{code} at {place}: {source}\n{diagnostics:#?}"));
        }
        assert!(diagnostics.iter().all(|found| !found.message.ends_with('.')));
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n\n"));
}

#[test]
fn every_code_has_a_case() {
    // Tested where their sources are: too long, too deep, the header, versions, modules.
    const ELSEWHERE: [Code; 5] = [
        Code::SourceTooLong,
        Code::TooDeep,
        Code::BadHeader,
        Code::WrongLanguage,
        Code::NotForModules,
    ];
    for code in Code::ALL {
        let known = CASES.iter().any(|(case, ..)| case == code) || ELSEWHERE.contains(code);
        assert!(known, "{code} {} has no case", code.title());
    }
}

#[test]
fn headers_are_checked() {
    for (source, code) in [
        ("", Code::BadHeader),
        ("fn f() -> Int { 1 }", Code::BadHeader),
        (
            "contract \"a\" version 1 language 2 scope federation;",
            Code::WrongLanguage,
        ),
        (
            "contract \"a\" version 1 language 1 scope galaxy;",
            Code::BadHeader,
        ),
        ("contract \"a\" version 1 language 1;", Code::UnexpectedToken),
    ] {
        let (diagnostics, _) = found(source);
        assert_eq!(
            diagnostics.iter().map(|found| found.code).collect::<Vec<_>>(),
            [code],
            "{source}"
        );
    }
}

#[test]
fn several_faults_are_found_at_once() {
    let source = format!(
        "{HEADER}{ROLE}{PROCESS}fn f() -> Int {{ let x = ; y }}\nfn g() -> Int {{ \"a\" }}\nrecord {{ }}\nfn h(a: Nothing) -> Int {{ a + 1 }}\n"
    );
    let (diagnostics, _) = found(&source);
    let codes: Vec<_> = diagnostics.iter().map(|found| found.code).collect();
    assert_eq!(
        codes,
        [
            Code::UnexpectedToken,
            Code::UnknownName,
            Code::WrongType,
            Code::UnexpectedToken,
            Code::UnknownType
        ]
    );
}

#[test]
fn a_fault_in_a_long_chain_leaves_what_follows_alone() {
    let sum = vec!["1"; 60].join(" + ");
    let fields = ".a".repeat(60);
    for wrong in [
        format!("{sum} + ;"),
        format!("{sum} + 1 2"),
        format!("x{fields}.;"),
    ] {
        let source = format!(
            "{HEADER}fn f(x: Int) -> Int {{ {wrong} }}\nfn g() -> Int {{ if true {{ (1 + (2 + (3 + 4))) }} else {{ 5 }} }}\n"
        );
        let (diagnostics, _) = found(&source);
        let codes: Vec<_> = diagnostics.iter().map(|found| found.code).collect();
        assert_eq!(codes, [Code::UnexpectedToken], "{wrong}");
    }
}

#[test]
fn suggestions_are_made() {
    for (source, help) in [
        (
            "policy mana_rate(input) { input.base_rat }",
            "did you mean `base_rate`?",
        ),
        ("policy mana_rat(input) { 1 mana }", "did you mean `mana_rate`?"),
        (
            "fn f(a: Mana) -> Mana { a + 1 }",
            "write the unit, such as `5 mana`, `7 days` or `10 eur`",
        ),
        (
            "fn f(a: Ratio) -> Int { a }",
            "say how to round: `.floor()`, `.ceil()` or `.round()`",
        ),
        (
            "fn f(a: Option<Int>) -> Int { a }",
            "take it apart with `match`, or write `.otherwise(…)`",
        ),
        (
            "fn f(a: Option<Bool>) -> Int { match a { Some(_) => 1 } }",
            "add `None => …`, or `_ => …` for the rest",
        ),
    ] {
        let (diagnostics, _) = found(&format!("{HEADER}{source}"));
        assert_eq!(diagnostics[0].help.as_deref(), Some(help), "{source}");
    }
}

#[test]
fn modules_are_imported_by_content() {
    let mut modules = Modules::default();
    let numbers = modules.add("module \"numbers\" version 1 language 1;\nrecord Pair { a: Int, b: Int }\nconst ONE: Int = 1;\nenum Way { Up, Down(Int) }\nunit eur decimals 2;\nfn sum(pair: Pair) -> Int { pair.a + pair.b }\n");
    let more = modules.add(format!("module \"more\" version 1 language 1;\nimport \"{numbers}\" as n;\nfn two() -> Int {{ n.sum(n.Pair(a: n.ONE, b: 1)) }}\n"));
    let source = format!(
        "{HEADER}import \"{numbers}\" as n;\nimport \"{more}\" as m;\nfn way(w: n.Way) -> Int {{ match w {{ n.Way.Up => 1, n.Way.Down(by) => by }} }}\ntest \"t\" {{ expect(m.two() == 2); expect(way(n.Way.Down(3)) == 3); let a: Amount<n.eur> = 1 line * 0 == 0 line; }}\n"
    );
    let checked = check(
        &source.replace(" let a: Amount<n.eur> = 1 line * 0 == 0 line;", ""),
        &modules,
    );
    assert!(checked.diagnostics.is_empty(), "{:?}", checked.diagnostics);
    let program = checked.program.unwrap();
    assert_eq!(program.sources.files().len(), 3);
    assert_eq!(
        icn_ccl::interp::call(&program, program.tests[0].function, &icn_ccl::Value::Unit),
        Ok(icn_ccl::Value::Unit)
    );

    let missing = check(
        &format!("{HEADER}import \"{numbers}\" as n;\nfn f() -> Int {{ n.sume() }}\n"),
        &modules,
    );
    assert_eq!(
        missing.diagnostics[0].help.as_deref(),
        Some("did you mean `sum`?")
    );
    let contract = modules.add(format!("{HEADER}policy mana_rate(input) {{ input.base_rate }}\n"));
    let refused = check(&format!("{HEADER}import \"{contract}\" as c;\n"), &modules);
    assert_eq!(refused.diagnostics[0].code, Code::ImportFails);
    let policy = check(
        "module \"m\" version 1 language 1;\npolicy mana_rate(input) { input.base_rate }\n",
        &modules,
    );
    assert_eq!(policy.diagnostics[0].code, Code::NotForModules);
}
