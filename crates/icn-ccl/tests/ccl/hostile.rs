//! What nobody would write in good faith: the compiler and the modules stand it.
use crate::{choices::Choices, examples::examples, host::Host, values::DIDS};
use icn_ccl::{
    Build, CompileError, FaultCode, NoModules, Stop, Type, Value, check, compile, diagnostic::Code, format,
    interp, ir::ExprKind, limits,
};
use proptest::{
    collection::vec,
    prelude::{ProptestConfig, any, proptest},
    sample::Index,
};
use std::iter::once;

fn codes(source: &str) -> Vec<Code> {
    check(source, &NoModules)
        .diagnostics
        .iter()
        .map(|found| found.code)
        .collect()
}

fn contract(rest: &str) -> String {
    format!("contract \"hostile\" version 1 language 1 scope federation;\n{rest}")
}

/// What is accepted also compiles, and both engines come to the same end. Says whether it was accepted.
fn read_and_run(source: &str) -> bool {
    let checked = check(source, &NoModules);
    let Some(program) = checked.program else {
        assert!(
            checked.diagnostics.iter().any(|found| !found.code.is_warning()),
            "refused without a reason:\n{source}"
        );
        return false;
    };
    let mut host = Host::new(&compile(&program, Build::WithFunctions).unwrap());
    let values = program.functions.iter().enumerate();
    for (id, function) in values.filter(|(_, function)| function.params <= 1) {
        let mut choices = Choices::new(&[1]);
        let input = function.locals.first().filter(|_| function.params == 1);
        let input = input.map_or(Value::Unit, |ty| {
            crate::values::value(&program.types, ty, &mut choices)
        });
        let expected = interp::call(&program, id, &input);
        assert_eq!(
            host.call(&program, &format!("fn:{id}"), id, &input),
            expected,
            "{source}"
        );
    }
    true
}

/// An expression that may be of any type, or of none.
fn expression(choices: &mut Choices<'_>, depth: usize) -> String {
    const LEAVES: [&str; 12] = [
        "1",
        "x",
        "refuse(T)",
        "return 2",
        "true",
        "None",
        "[]",
        "map {}",
        "T",
        "x / 2",
        "Some(x)",
        "require(x > 1, T)",
    ];
    let (kind, many) = (choices.below(24), choices.one_in(3));
    if depth == 0 || kind < 4 {
        return LEAVES[choices.below(LEAVES.len())].to_owned();
    }
    let mut inner = || expression(choices, depth - 1);
    match kind {
        4 => format!("{} + {}", inner(), inner()),
        5 | 6 => format!("({} == {})", inner(), inner()),
        7 => format!("({} < {})", inner(), inner()),
        8 => format!("({} and {})", inner(), inner()),
        9 => format!("not {}", inner()),
        10 => format!("-({})", inner()),
        11 => format!("Some({})", inner()),
        12 if many => format!("[{}, {}]", inner(), inner()),
        12 => format!("[{}]", inner()),
        13 => format!("map {{ {}: {} }}", inner(), inner()),
        14 => format!("[{} for v in {}]", inner(), inner()),
        15 => format!("min({}, {})", inner(), inner()),
        16 => format!("if {} {{ {} }} else {{ {} }}", inner(), inner(), inner()),
        17 => format!(
            "match {} {{ None => {}, Some(v) => {} }}",
            inner(),
            inner(),
            inner()
        ),
        18 => format!("match {} {{ _ => {} }}", inner(), inner()),
        19 => format!("{{ let v = {}; {} }}", inner(), inner()),
        20 => format!("{{ for v in {} {{ {}; }} {} }}", inner(), inner(), inner()),
        21 => format!("\"{{{}}}b\"", inner()),
        22 if many => format!("Pair(a: {}, b: {}).a", inner(), inner()),
        22 => format!("{}.otherwise({})", inner(), inner()),
        _ => format!("({})[{}]", inner(), inner()),
    }
}

proptest! {
    #![proptest_config(ProptestConfig::default())]
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC{0,400}") {
        check(&text, &NoModules);
        let _ = format(&text);
    }

    #[test]
    fn any_words_are_read_or_refused(words in vec(any::<Index>(), 0..200)) {
        const WORDS: [&str; 50] = [
            "contract", "fn", "f", "(", ")", "{", "}", "[", "]", ";", ",", ":", "=", "=>", "->", "+", "-", "<", ">", ".",
            "\"a{b}\"", "1", "1.5", "mana", "if", "else", "match", "for", "in", "let", "var", "return", "Some", "None",
            "record", "enum", "policy", "test", "role", "process", "Int", "map", "and", "not", "with", "//x\n", "require", "x",
            "refuse", "==",
        ];
        let text: String = words.iter().map(|word| format!("{} ", word.get(&WORDS))).collect();
        read_and_run(&text);
        read_and_run(&contract(&text));
        read_and_run(&contract(&format!("fn f(x: Int) -> Int {{ {text} }}")));
        let _ = format(&text);
    }

    #[test]
    fn any_expressions_run_or_are_refused(bytes in vec(any::<u8>(), 0..80)) {
        run_expression(&expression(&mut Choices::new(&bytes), 4));
    }

    #[test]
    fn damaged_examples_are_read_or_refused(which in any::<Index>(), damage in vec((any::<Index>(), any::<u8>(), 0..4u8), 1..6)) {
        let examples = examples();
        let mut bytes = which.get(&examples).1.clone().into_bytes();
        for (at, byte, how) in damage {
            let at = at.index(bytes.len().max(1));
            if bytes.is_empty() {
                break;
            }
            match how {
                0 => bytes[at] = byte,
                1 => { bytes.remove(at); }
                2 => bytes.insert(at, byte),
                _ => bytes.truncate(at.max(1)),
            }
        }
        let text = String::from_utf8_lossy(&bytes);
        if let Some(program) = check(&text, &NoModules).program {
            compile(&program, Build::WithTests).unwrap();
            for test in &program.tests {
                let _ = interp::call(&program, test.function, &Value::Unit);
            }
        }
        let _ = format(&text);
    }

    #[test]
    fn any_input_is_read_or_refused(input in vec(any::<u8>(), 0..600)) {
        let source = &examples().into_iter().find(|(name, _)| name.starts_with("membership")).unwrap().1;
        let program = check(source, &NoModules).program.unwrap();
        let mut host = Host::new(&compile(&program, Build::Contract).unwrap());
        for policy in &program.policies {
            // The host panics on a trap without an outcome.
            let _ = host.raw(policy.slot.name, &input);
        }
    }
}

/// Contracts that do something with the expression; how many of them are accepted.
fn run_expression(body: &str) -> usize {
    const BEFORE: &str =
        "record Pair { a: Int, b: Option<Int> }\nconst T: Text = \"no\";\nfn g(x: Int) -> Int { x }\n";
    let sources = [
        format!("fn f(x: Int) -> Int {{ {body} }}"),
        format!("fn f(x: Int) -> Int {{ let _w = {body}; x }}"),
        format!("fn f(x: Int) -> Int {{ {{ {body}; }} g(x) }}"),
        format!("const C: Int = {body};"),
    ];
    let sources = sources
        .iter()
        .map(|source| contract(&format!("{BEFORE}{source}")));
    sources.filter(|source| read_and_run(source)).count()
}

#[test]
fn what_never_gives_a_value_is_not_used() {
    // Each of these was accepted: the refusal was gone, or the compiler was.
    for body in [
        "input.members + refuse(\"closed\")",
        "for _x in refuse(\"closed\") { } 5",
        "let _y = [refuse(\"x\")]; 5",
        "let a = Some(refuse(\"x\")); if a == a { 1 } else { 2 }",
        "let _y = refuse(\"x\"); 5",
        "let _y = map { 1: refuse(\"x\") }; 5",
        "let _y = map { refuse(\"x\"): 1 }; 5",
        "let _y: List<Int> = [return 1]; 5",
        "let _y: Option<Int> = Some(return 1); 5",
        "let _y = [return 1 for _x in [1]]; 5",
        "let _y = [1 for _x in refuse(\"x\")]; 5",
        "let _y = \"a{return 1}\"; 5",
        "-refuse(\"x\")",
        "let _y = not refuse(\"x\"); 5",
        "min(input.members, refuse(\"x\"))",
        "match refuse(\"x\") { _ => 5 }",
        "(return 1).members",
        "(return 1).len()",
        "(return 1)[0]",
        "(return 1) with (a: 1)",
        "(return 1) == None",
        "let _y = if input.members > 1 { return 1 } else { refuse(\"x\") }; 5",
    ] {
        let source = contract(&format!("policy vote_weight(input) {{ {body} }}"));
        assert_eq!(codes(&source), [Code::NoValue], "{body}");
    }
    // The type of these is nowhere to be had.
    for body in ["min(None, None)", "let _y = max([], []); 5"] {
        let source = contract(&format!("policy vote_weight(input) {{ let _i = input; {body} }}"));
        assert!(
            codes(&source).iter().all(|code| *code == Code::NeedsType),
            "{body}"
        );
        assert!(!read_and_run(&source));
    }
    let quorum = "process p { proposal: budget; electorate: members; method: yes_no; quorum: refuse(\"x\"); threshold: more than 1/2; duration: 1 day; executes: nothing; }";
    assert_eq!(codes(&contract(quorum)), [Code::ConstantFails]);
    // Where a type is given, what does not come back goes with it.
    for body in [
        "refuse(\"closed\")",
        "require(input.members > 1, \"few\"); if input.members > 2 { 3 } else { refuse(\"closed\") }",
        "let a: Int = refuse(\"x\"); a",
        "Some(1).otherwise(return 0)",
        "let a: Option<Int> = None; a.otherwise(refuse(\"none\"))",
        "if input.members > 1 or return 2 { 1 } else { 3 }",
        "match input.roles.get(0) { None => return 2, Some(_) => 1 }",
    ] {
        let source = contract(&format!("policy vote_weight(input) {{ {body} }}"));
        assert!(
            read_and_run(&source),
            "{body}: {:?}",
            check(&source, &NoModules).diagnostics
        );
    }
}

#[test]
fn programs_with_wrong_types_are_errors() {
    // The checker lets none through. If it did, a text would stop the nodes that compile it.
    let source = contract("fn f(a: Option<Int>) -> Bool { a == a }");
    let mut program = check(&source, &NoModules).program.unwrap();
    program.functions[0].result = Type::Never;
    let ended = interp::call(&program, 0, &Value::Option(None));
    assert!(matches!(ended, Err(Stop::Fault { .. })), "{ended:?}");
    program.functions[0].result = Type::Bool;
    let ExprKind::Block(_, tail) = &mut program.functions[0].body.expr.kind else {
        panic!("bodies are blocks")
    };
    let ExprKind::Op(_, args) = &mut tail.kind else {
        panic!("a comparison is an operation")
    };
    args[0].ty = Type::Option(Box::new(Type::Never));
    assert!(matches!(
        compile(&program, Build::WithFunctions),
        Err(CompileError::Invalid(_))
    ));
}

#[test]
fn many_expressions_are_accepted() {
    // Otherwise running those that are accepted shows nothing.
    let accepted = (0..1_000u32).map(|seed| {
        let mixed = |at: u32| {
            (seed.wrapping_mul(2_654_435_761) ^ at.wrapping_mul(2_246_822_519)).rotate_left(at % 17)
        };
        let bytes: Vec<u8> = (0..40).map(|at| mixed(at).to_le_bytes()[2]).collect();
        run_expression(&expression(&mut Choices::new(&bytes), 3))
    });
    let accepted = accepted.sum::<usize>();
    assert!(accepted > 100, "{accepted}");
}

#[test]
fn nesting_is_bounded() {
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("-(", ")"),
        ("{", "}"),
        ("Some(", ")"),
        ("not ", ""),
        ("if true { ", " }"),
        ("a.", ""),
    ] {
        let body = format!("{}1{}", open.repeat(20_000), close.repeat(20_000));
        assert!(
            codes(&contract(&format!("fn f() -> Int {{ {body} }}"))).contains(&Code::TooDeep),
            "{open}"
        );
    }
    let sum = vec!["1"; 20_000].join(" + ");
    assert!(codes(&contract(&format!("fn f() -> Int {{ {sum} }}"))).contains(&Code::TooDeep));
    let ty = format!("{}Int{}", "List<".repeat(5_000), ">".repeat(5_000));
    assert!(codes(&contract(&format!("fn f(x: {ty}) -> Int {{ 1 }}"))).contains(&Code::TooDeep));
    let chain = "if true { 1 } else ".repeat(5_000);
    assert!(codes(&contract(&format!("fn f() -> Int {{ {chain} {{ 2 }} }}"))).contains(&Code::TooDeep));
    // Calls within calls, and types within types, none of which is deep itself; the first declared may be the innermost
    // or the outermost.
    for length in [40, 400, 6_000] {
        let calls = (1..length).map(|n| format!("fn f{n}() -> Int {{ 1 + f{}() }}\n", n - 1));
        let calls: Vec<_> = once("fn f0() -> Int { 1 }\n".to_owned()).chain(calls).collect();
        let records = (1..length).map(|n| format!("record R{n} {{ a: R{0}, b: R{0} }}\n", n - 1));
        let records: Vec<_> = once("record R0 { a: Int }\n".to_owned()).chain(records).collect();
        let enums = (1..length).map(|n| format!("enum E{n} {{ A(List<E{}>) }}\n", n - 1));
        let enums: Vec<_> = once("enum E0 { A(Int) }\n".to_owned()).chain(enums).collect();
        for chain in [calls, records, enums] {
            let reverse: String = chain.iter().rev().map(String::as_str).collect();
            for source in [chain.concat(), reverse] {
                let found = codes(&contract(&source));
                let refused = found.contains(&Code::TooDeep) || found.contains(&Code::TooMany);
                assert!(
                    refused || length == 40 && source.contains("fn"),
                    "{length} of {}: {found:?}",
                    chain[0]
                );
            }
        }
    }
}

#[test]
fn circles_are_refused() {
    assert_eq!(
        codes(&contract(
            "fn f(x: Int) -> Int { g(x) }\nfn g(x: Int) -> Int { f(x) }"
        )),
        [Code::Recursion]
    );
    assert_eq!(
        codes(&contract("fn f(x: Int) -> Int { f(x) }")),
        [Code::Recursion]
    );
    assert!(codes(&contract("record A { b: B }\nenum B { One(Option<A>) }")).contains(&Code::RecursiveType));
    assert!(codes(&contract("record A { many: List<A> }")).contains(&Code::RecursiveType));
    // Longer than types may be nested: whatever is said, it comes to an end.
    let circle: String = (0..900)
        .map(|n| {
            format!(
                "record R{n} {{ a: R{}, b: List<R{}> }}\n",
                (n + 1) % 900,
                n * 7 % 900
            )
        })
        .collect();
    let uses = "fn f(r: R0) -> Bool { match r { R0(a) => r == r } }";
    assert!(codes(&contract(&format!("{circle}{uses}"))).contains(&Code::TooDeep));
}

#[test]
fn large_sources_are_refused() {
    let long = contract(&"// comment\n".repeat(limits::MAX_SOURCE_BYTES / 11));
    assert_eq!(codes(&long), [Code::SourceTooLong]);
    let tests: String = (0..=limits::MAX_DECLARATIONS)
        .map(|n| format!("test \"{n}\" {{ }}\n"))
        .collect();
    assert_eq!(codes(&contract(&tests)), [Code::TooMany]);
    let locals: String = (0..=limits::MAX_LOCALS)
        .map(|n| format!("let _v{n} = {n}; "))
        .collect();
    assert_eq!(
        codes(&contract(&format!("fn f() -> Int {{ {locals} 1 }}"))),
        [Code::TooMany]
    );
    let open = "?".repeat(limits::MAX_SOURCE_BYTES);
    assert!(codes(&open).len() <= limits::MAX_DIAGNOSTICS);
}

/// What a test in both engines ends with.
fn ends(body: &str) -> Stop {
    let source = contract(&format!(
        "record Node {{ a: List<Int>, b: Text }}\ntest \"t\" {{ {body} }}"
    ));
    let checked = check(&source, &NoModules);
    let program = checked
        .program
        .unwrap_or_else(|| panic!("{:?}\n{source}", checked.diagnostics));
    let function = program.tests[0].function;
    let expected = interp::call(&program, function, &Value::Unit);
    let mut host = Host::new(&compile(&program, Build::WithTests).unwrap());
    assert_eq!(
        host.call(&program, "test:0", function, &Value::Unit),
        expected,
        "{body}"
    );
    // And again: a call that stopped leaves nothing behind.
    assert_eq!(
        host.call(&program, "test:0", function, &Value::Unit),
        expected,
        "{body}"
    );
    expected.unwrap_err()
}

#[test]
fn bounds_of_a_call_are_faults_in_both_engines() {
    let long = "let t = \"0123456789abcdef0123456789abcdef\"; let u = \"{t}{t}{t}{t}{t}{t}{t}{t}\";";
    for (body, expected) in [
        ("for i in range(0, 10_001) { expect(i >= 0); }".to_owned(), FaultCode::Size),
        ("for i in range(-9_223_372_036_854_775_808, 9_223_372_036_854_775_807) { expect(i >= 0); }".to_owned(), FaultCode::Size),
        ("for i in range(0, 10_000) { for j in range(0, 10_000) { expect(i + j >= 0); } }".to_owned(), FaultCode::Work),
        ("var xs: List<Int> = []; for i in range(0, 1_001) { xs = xs.push(i); }".to_owned(), FaultCode::Size),
        ("var xs: List<Int> = []; for j in range(0, 9) { xs = []; for i in range(j, j + 900) { xs = xs.push(i); } }".to_owned(), FaultCode::Memory),
        ("var m: Map<Int, Int> = map {}; for i in range(0, 1_001) { m = m.insert(i, i); }".to_owned(), FaultCode::Size),
        (format!("{long} let v = \"{{u}}{{u}}{{u}}{{u}}{{u}}{{u}}{{u}}{{u}}{{u}}{{u}}{{u}}{{u}}{{u}}{{u}}{{u}}{{u}}\"; expect(\"{{v}}{{t}}\" == \"\");"), FaultCode::Size),
        (format!("{long} for i in range(0, 1_000) {{ expect(i < 0 or \"{{u}}{{u}}{{u}}{{u}}{{u}}{{u}}{{u}}{{u}}\".contains(\"{{u}}-\") or true); }}"), FaultCode::Work),
        // Shared parts are compared as often as they stand there.
        ("let a = [n for n in [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]]; let b = [a for n in a]; let c = [b for n in a]; let d = [c for n in a]; let e = [d for n in a]; let f = [e for n in a]; expect(f == [e for n in a]);".to_owned(), FaultCode::Work),
        ("let n = Node(a: [], b: \"\"); expect(n.a[0] == 1);".to_owned(), FaultCode::Index),
        ("let m = map { 1: 2 }; expect(m[3] == 1);".to_owned(), FaultCode::MissingKey),
        ("let x = 0 - 9_223_372_036_854_775_807; expect((x - 1).abs() == 1);".to_owned(), FaultCode::Overflow),
        ("let x = 1 day; expect(x - 2 days == 1 day);".to_owned(), FaultCode::BelowZero),
        ("let x = 0; expect(1 / x == 1);".to_owned(), FaultCode::DivisionByZero),
        ("expect(1 == 2);".to_owned(), FaultCode::Expectation),
    ] {
        match ends(&body) {
            Stop::Fault { code, .. } => assert_eq!(code, expected, "{body}"),
            Stop::Refusal { reason, .. } => panic!("{body}: {reason}"),
        }
    }
}

#[test]
fn inputs_that_are_not_of_the_type_are_faults() {
    let source = contract("policy vote_weight(input) { input.roles.len() }");
    let program = check(&source, &NoModules).program.unwrap();
    let mut host = Host::new(&compile(&program, Build::Contract).unwrap());
    let wrong = Stop::Fault {
        code: FaultCode::Input,
        span: icn_ccl::Span::default(),
    };
    assert_eq!(host.raw("vote_weight", &[]), Err(wrong.clone()));
    assert_eq!(host.raw("vote_weight", &[255; 64]), Err(wrong.clone()));
    assert_eq!(
        interp::call(&program, program.policies[0].function, &Value::from(DIDS[0])),
        Err(wrong)
    );
}

#[test]
fn the_deepest_contract_runs() {
    let chain = |length: usize| {
        let calls: String = (1..length)
            .map(|n| format!("fn f{n}(x: Int) -> Int {{ 1 + f{}(x) }}\n", n - 1))
            .collect();
        contract(&format!(
            "fn f0(x: Int) -> Int {{ x }}\n{calls}policy vote_weight(input) {{ f{}(input.members) }}",
            length - 1
        ))
    };
    let deepest = (1..200)
        .rev()
        .find(|length| codes(&chain(*length)).is_empty())
        .unwrap();
    let program = check(&chain(deepest), &NoModules).program.unwrap();
    let function = program.policies[0].function;
    let ty = &program.functions[function].locals[0];
    let input = crate::values::value(&program.types, ty, &mut crate::choices::Choices::new(&[]));
    let expected = interp::call(&program, function, &input);
    assert!(expected.is_ok() && deepest > 50, "{deepest}: {expected:?}");
    let mut host = Host::new(&compile(&program, Build::Contract).unwrap());
    assert_eq!(host.call(&program, "vote_weight", function, &input), expected);
}

#[test]
fn contracts_that_compile_to_too_much_are_refused() {
    // Each text is short of the limit; all of them are not.
    let texts: String = (0..250)
        .map(|n| format!("const T{n}: Text = \"{n:04}{}\";\n", "x".repeat(900)))
        .collect();
    let uses: String = (0..250).map(|n| format!("expect(T{n}.len() > 0);")).collect();
    let source = contract(&format!("{texts}test \"t\" {{ {uses} }}"));
    let program = check(&source, &NoModules).program.unwrap();
    // Within the source's own limit, so within that of the texts, too.
    assert!(compile(&program, Build::WithTests).is_ok());
    let lists: String = (0..200)
        .map(|n| format!("const L{n}: List<Int> = [i * 2 + {n} for i in N];\n"))
        .collect();
    let uses: String = (0..200).map(|n| format!("expect(L{n}.len() > 0);")).collect();
    let numbers = (0..400).map(|n| n.to_string()).collect::<Vec<_>>().join(", ");
    let source = contract(&format!(
        "const N: List<Int> = [{numbers}];\n{lists}test \"t\" {{ {uses} }}"
    ));
    let program = check(&source, &NoModules).program.unwrap();
    assert!(matches!(
        compile(&program, Build::WithTests),
        Err(CompileError::Statics(_))
    ));
}
