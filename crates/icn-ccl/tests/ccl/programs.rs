//! Writes well-typed programs from a stream of choices.
use crate::{
    choices::Choices,
    values::{CID, DIDS},
};
use std::fmt::Write as _;

/// The types that generated programs use.
#[derive(Clone, Debug, PartialEq)]
enum Ty {
    Bool,
    Int,
    Ratio,
    Text,
    Did,
    Cid,
    Time,
    Duration,
    Mana,
    Eur,
    Colour,
    Pair,
    Shape,
    Option(Box<Ty>),
    List(Box<Ty>),
    Map(Box<Ty>, Box<Ty>),
}

const SIMPLE: [Ty; 13] = [
    Ty::Int,
    Ty::Bool,
    Ty::Text,
    Ty::Ratio,
    Ty::Mana,
    Ty::Duration,
    Ty::Time,
    Ty::Eur,
    Ty::Colour,
    Ty::Pair,
    Ty::Shape,
    Ty::Did,
    Ty::Cid,
];
const KEYS: [Ty; 6] = [Ty::Int, Ty::Text, Ty::Colour, Ty::Bool, Ty::Mana, Ty::Did];

/// Declarations that every program begins with.
const PRELUDE: &str = r#"contract "generated" version 1 language 1 scope federation;
unit eur decimals 2;
record Pair { a: Int, b: Text, c: Option<Ratio> }
enum Colour { Red, Green, Blue }
enum Shape { Dot, Circle(Int), Named(Text, Pair), Many(List<Int>, Colour) }
"#;

impl Ty {
    fn text(&self) -> String {
        match self {
            Self::Eur => "Amount<eur>".to_owned(),
            Self::Option(of) => format!("Option<{}>", of.text()),
            Self::List(of) => format!("List<{}>", of.text()),
            Self::Map(key, value) => format!("Map<{}, {}>", key.text(), value.text()),
            simple => format!("{simple:?}"),
        }
    }

    fn is_quantity(&self) -> bool {
        matches!(self, Self::Mana | Self::Duration | Self::Eur)
    }

    fn is_ordered(&self) -> bool {
        self.is_quantity() || matches!(self, Self::Int | Self::Ratio | Self::Text | Self::Time)
    }

    fn is_showable(&self) -> bool {
        self.is_ordered() || matches!(self, Self::Bool | Self::Did | Self::Cid | Self::Colour)
    }
}

struct Local {
    name: String,
    ty: Ty,
    mutable: bool,
}

struct Writer<'c, 'b> {
    choices: &'c mut Choices<'b>,
    locals: Vec<Local>,
    functions: Vec<(Vec<Ty>, Ty)>,
    names: usize,
    result: Ty,
}

/// A program whose last function takes one value.
pub(crate) fn program(choices: &mut Choices<'_>) -> String {
    let mut text = PRELUDE.to_owned();
    let mut writer = Writer {
        choices,
        locals: Vec::new(),
        functions: Vec::new(),
        names: 0,
        result: Ty::Int,
    };
    let count = 1 + writer.choices.below(4);
    for number in 0..count {
        let last = number + 1 == count;
        let params = if last { 1 } else { writer.choices.below(3) };
        let params: Vec<_> = (0..params).map(|_| writer.ty(2)).collect();
        let result = writer.ty(2);
        writer.locals = Vec::new();
        writer.result = result.clone();
        let mut list = String::new();
        for ty in &params {
            let name = writer.fresh();
            write!(list, "{name}: {}, ", ty.text()).unwrap();
            writer.locals.push(Local {
                name,
                ty: ty.clone(),
                mutable: false,
            });
        }
        let body = writer.body(&result, 4);
        writeln!(
            text,
            "fn f{number}({}) -> {} {{\n{body}}}",
            list.trim_end_matches(", "),
            result.text()
        )
        .unwrap();
        writer.functions.push((params, result));
    }
    text
}

impl Writer<'_, '_> {
    fn fresh(&mut self) -> String {
        self.names += 1;
        format!("v{}", self.names)
    }

    fn ty(&mut self, depth: usize) -> Ty {
        match self.choices.below(if depth == 0 { 6 } else { 10 }) {
            6 => Ty::Option(Box::new(self.ty(depth - 1))),
            7 | 8 => Ty::List(Box::new(self.ty(depth - 1))),
            9 => {
                let key = KEYS[self.choices.below(KEYS.len())].clone();
                Ty::Map(Box::new(key), Box::new(self.ty(depth - 1)))
            }
            _ => SIMPLE[self.choices.below(SIMPLE.len())].clone(),
        }
    }

    /// Statements and a value.
    fn body(&mut self, ty: &Ty, depth: usize) -> String {
        let outside = self.locals.len();
        let mut text = String::new();
        for _ in 0..self.choices.below(4) {
            let statement = self.statement(depth.saturating_sub(1));
            writeln!(text, "  {statement}").unwrap();
        }
        let value = self.expr(ty, depth);
        writeln!(text, "  {value}").unwrap();
        self.locals.truncate(outside);
        text
    }

    fn statements(&mut self, depth: usize) -> String {
        let outside = self.locals.len();
        let count = 1 + self.choices.below(2);
        let text: String = (0..count).map(|_| self.statement(depth) + " ").collect();
        self.locals.truncate(outside);
        text
    }

    fn statement(&mut self, depth: usize) -> String {
        let plain = depth == 0;
        match self.choices.below(if plain { 4 } else { 10 }) {
            0 => {
                let ty = self.ty(2);
                let value = self.expr(&ty, depth);
                let name = self.fresh();
                let mutable = self.choices.one_in(2);
                let text = format!(
                    "{} {name}: {} = {value};",
                    if mutable { "var" } else { "let" },
                    ty.text()
                );
                self.locals.push(Local { name, ty, mutable });
                text
            }
            1 | 2 => {
                let mutable: Vec<_> = self.locals.iter().filter(|local| local.mutable).collect();
                if mutable.is_empty() {
                    return String::new();
                }
                let chosen = mutable[self.choices.below(mutable.len())];
                let (name, ty) = (chosen.name.clone(), chosen.ty.clone());
                let value = self.expr(&ty, depth);
                format!("{name} = {value};")
            }
            3 => {
                let condition = self.expr(&Ty::Bool, depth);
                let reason = self.expr(&Ty::Text, depth);
                if self.choices.one_in(3) {
                    format!("require({condition}, {reason});")
                } else {
                    format!("require({condition} or true, {reason});")
                }
            }
            4 => {
                let condition = self.expr(&Ty::Bool, depth);
                let inner = self.statements(depth - 1);
                let result = self.result.clone();
                if self.choices.one_in(4) {
                    let value = self.expr(&result, depth - 1);
                    return format!("if {condition} {{ return {value}; }}");
                }
                format!("if {condition} {{ {inner} }}")
            }
            5 | 6 => {
                let of = self.ty(1);
                let over = self.typed(&Ty::List(Box::new(of.clone())), depth - 1);
                format!("{} {}", over.0, self.each(&[of], &over.1, depth))
            }
            7 => {
                let key = KEYS[self.choices.below(KEYS.len())].clone();
                let value = self.ty(1);
                let over = self.typed(
                    &Ty::Map(Box::new(key.clone()), Box::new(value.clone())),
                    depth - 1,
                );
                format!("{} {}", over.0, self.each(&[key, value], &over.1, depth))
            }
            _ => {
                let from = self.expr(&Ty::Int, 1);
                let to = if self.choices.one_in(3) {
                    self.expr(&Ty::Int, 1)
                } else {
                    self.choices.below(20).to_string()
                };
                self.each(&[Ty::Int], &format!("range({from}, {to})"), depth)
            }
        }
    }

    fn each(&mut self, types: &[Ty], over: &str, depth: usize) -> String {
        let outside = self.locals.len();
        let mut names = Vec::new();
        for ty in types {
            let name = self.fresh();
            names.push(name.clone());
            self.locals.push(Local {
                name,
                ty: ty.clone(),
                mutable: false,
            });
        }
        let inner = self.statements(depth - 1);
        self.locals.truncate(outside);
        format!("for {} in {over} {{ {inner} }}", names.join(", "))
    }

    fn variable(&mut self, ty: &Ty) -> Option<String> {
        let fitting: Vec<_> = self.locals.iter().filter(|local| local.ty == *ty).collect();
        if fitting.is_empty() {
            return None;
        }
        Some(fitting[self.choices.below(fitting.len())].name.clone())
    }

    fn expr(&mut self, ty: &Ty, depth: usize) -> String {
        if depth == 0 || self.choices.one_in(4) {
            return self.variable(ty).unwrap_or_else(|| self.literal(ty, depth));
        }
        match self.choices.below(12) {
            0 => self.variable(ty).unwrap_or_else(|| self.literal(ty, depth)),
            1 => {
                let condition = self.expr(&Ty::Bool, depth - 1);
                let then = match self.choices.below(8) {
                    6 => format!("refuse(\"{}\")", self.choices.text()),
                    7 => {
                        let result = self.result.clone();
                        format!("return {};", self.expr(&result, depth - 1))
                    }
                    _ => self.expr(ty, depth - 1),
                };
                let otherwise = self.body(ty, depth - 1);
                format!("(if {condition} {{ {then} }} else {{ {otherwise} }})")
            }
            2 => self.match_expr(ty, depth),
            3 => self.call(ty, depth),
            4 => self.taken(ty, depth),
            5 => self.literal(ty, depth),
            _ => self.operation(ty, depth),
        }
    }

    fn call(&mut self, ty: &Ty, depth: usize) -> String {
        let fitting: Vec<_> = (0..self.functions.len())
            .filter(|id| self.functions[*id].1 == *ty)
            .collect();
        if fitting.is_empty() {
            return self.operation(ty, depth);
        }
        let id = fitting[self.choices.below(fitting.len())];
        let params = self.functions[id].0.clone();
        let args: Vec<_> = params.iter().map(|ty| self.expr(ty, depth - 1)).collect();
        format!("f{id}({})", args.join(", "))
    }

    /// A value taken out of something that has such.
    fn taken(&mut self, ty: &Ty, depth: usize) -> String {
        let of = Box::new(ty.clone());
        match self.choices.below(4) {
            0 => {
                let list = self.typed(&Ty::List(of), depth - 1);
                let index = self.expr(&Ty::Int, depth - 1);
                format!("{{ {} {}[{index}] }}", list.0, list.1)
            }
            1 => {
                let key = KEYS[self.choices.below(KEYS.len())].clone();
                let map = self.typed(&Ty::Map(Box::new(key.clone()), of), depth - 1);
                let key = self.expr(&key, depth - 1);
                format!("{{ {} {}[{key}] }}", map.0, map.1)
            }
            2 => {
                let option = self.typed(&Ty::Option(of), depth - 1);
                let other = self.expr(ty, depth - 1);
                format!("{{ {} {}.otherwise({other}) }}", option.0, option.1)
            }
            _ => {
                let pair = self.expr(&Ty::Pair, depth - 1);
                match ty {
                    Ty::Int => format!("{pair}.a"),
                    Ty::Text => format!("{pair}.b"),
                    _ => self.literal(ty, depth),
                }
            }
        }
    }

    fn match_expr(&mut self, ty: &Ty, depth: usize) -> String {
        let d = depth - 1;
        let outside = self.locals.len();
        let text = match self.choices.below(5) {
            0 => {
                let of = self.ty(1);
                let value = self.expr(&Ty::Option(Box::new(of.clone())), d);
                let none = self.expr(ty, d);
                let (whole, name) = (self.fresh(), self.fresh());
                self.bind(&name, of.clone());
                let some = self.expr(ty, d);
                let typed = Ty::Option(Box::new(of)).text();
                format!(
                    "{{ let {whole}: {typed} = {value}; match {whole} {{ None => {none}, Some({name}) => {some} }} }}"
                )
            }
            1 => {
                let value = self.expr(&Ty::Shape, d);
                let (dot, one) = (self.expr(ty, d), self.expr(ty, d));
                let (n, t, k, list, colour) = (
                    self.fresh(),
                    self.fresh(),
                    self.fresh(),
                    self.fresh(),
                    self.fresh(),
                );
                let mut arms = format!("Shape.Dot => {dot}, Shape.Circle(1) => {one}, ");
                for (pattern, names) in [
                    (format!("Shape.Circle({n})"), vec![(&n, Ty::Int)]),
                    (
                        format!("Shape.Named(\"a\", Pair(c: Some({k}), a: 0))"),
                        vec![(&k, Ty::Ratio)],
                    ),
                    (format!("Shape.Named({t}, _)"), vec![(&t, Ty::Text)]),
                    (
                        format!("Shape.Many({list}, {colour})"),
                        vec![(&list, Ty::List(Box::new(Ty::Int))), (&colour, Ty::Colour)],
                    ),
                ] {
                    names.into_iter().for_each(|(name, ty)| self.bind(name, ty));
                    let body = self.expr(ty, d);
                    write!(arms, "{pattern} => {body}, ").unwrap();
                    self.locals.truncate(outside);
                }
                format!("match {value} {{ {arms} }}")
            }
            2 => {
                let value = self.expr(&Ty::Colour, d);
                let (red, rest) = (self.expr(ty, d), self.expr(ty, d));
                format!("match {value} {{ Colour.Red => {red}, _ => {rest} }}")
            }
            3 => {
                let (value, text) = (self.expr(&Ty::Text, d), self.choices.text());
                let (same, other) = (self.expr(ty, d), self.expr(ty, d));
                format!("match {value} {{ \"{text}\" => {same}, _ => {other} }}")
            }
            _ => {
                let value = self.expr(&Ty::Int, d);
                let (zero, one, name) = (self.expr(ty, d), self.expr(ty, d), self.fresh());
                self.bind(&name, Ty::Int);
                let other = self.expr(ty, d);
                format!("match {value} {{ 0 => {zero}, -1 => {one}, {name} => {other} }}")
            }
        };
        self.locals.truncate(outside);
        text
    }

    fn bind(&mut self, name: &str, ty: Ty) {
        self.locals.push(Local {
            name: name.to_owned(),
            ty,
            mutable: false,
        });
    }

    fn operation(&mut self, ty: &Ty, depth: usize) -> String {
        let d = depth - 1;
        match ty {
            Ty::Bool => self.truth(d),
            Ty::Int => self.int(d),
            Ty::Ratio => self.ratio(d),
            Ty::Text => self.joined(d),
            Ty::Time => match self.choices.below(3) {
                0 => format!("({} + {})", self.expr(&Ty::Time, d), self.expr(&Ty::Duration, d)),
                1 => format!("({} - {})", self.expr(&Ty::Time, d), self.expr(&Ty::Duration, d)),
                _ => format!("max({}, {})", self.expr(ty, d), self.expr(ty, d)),
            },
            Ty::Mana | Ty::Duration | Ty::Eur => self.quantity(ty, d),
            Ty::List(of) => self.list(ty, of, d),
            Ty::Map(key, value) => {
                let map = self.typed(ty, d);
                let key = self.expr(key, d);
                match self.choices.below(2) {
                    0 => {
                        let value = self.expr(value, d);
                        format!("{{ {} {}.insert({key}, {value}) }}", map.0, map.1)
                    }
                    _ => format!("{{ {} {}.remove({key}) }}", map.0, map.1),
                }
            }
            Ty::Option(of) => match self.choices.below(3) {
                0 => {
                    let list = self.typed(&Ty::List(of.clone()), d);
                    format!("{{ {} {}.get({}) }}", list.0, list.1, self.expr(&Ty::Int, d))
                }
                1 => {
                    let key = KEYS[self.choices.below(KEYS.len())].clone();
                    let map = self.typed(&Ty::Map(Box::new(key.clone()), of.clone()), d);
                    format!("{{ {} {}.get({}) }}", map.0, map.1, self.expr(&key, d))
                }
                _ => format!("Some({})", self.expr(of, d)),
            },
            Ty::Pair => format!(
                "({} with (a: {}))",
                self.expr(&Ty::Pair, d),
                self.expr(&Ty::Int, d)
            ),
            _ => self.literal(ty, depth),
        }
    }

    /// A `let` of a value whose type would not be known otherwise, and its name.
    fn typed(&mut self, ty: &Ty, depth: usize) -> (String, String) {
        let value = self.expr(ty, depth);
        let name = self.fresh();
        (format!("let {name}: {} = {value};", ty.text()), name)
    }

    fn truth(&mut self, d: usize) -> String {
        match self.choices.below(9) {
            0 => format!("({} and {})", self.expr(&Ty::Bool, d), self.expr(&Ty::Bool, d)),
            1 => format!("({} or {})", self.expr(&Ty::Bool, d), self.expr(&Ty::Bool, d)),
            2 => format!("(not {})", self.expr(&Ty::Bool, d)),
            3 => {
                let ty = self.ty(2);
                let (a, b) = (self.typed(&ty, d), self.typed(&ty, d));
                let sign = ["==", "!="][self.choices.below(2)];
                format!("{{ {} {} {} {sign} {} }}", a.0, b.0, a.1, b.1)
            }
            4 | 5 => {
                let ty = self.ty(0);
                let ty = if ty.is_ordered() { ty } else { Ty::Ratio };
                let sign = ["<", "<=", ">", ">="][self.choices.below(4)];
                format!("({} {sign} {})", self.expr(&ty, d), self.expr(&ty, d))
            }
            6 => {
                let method = ["contains", "starts_with"][self.choices.below(2)];
                format!(
                    "{}.{method}({})",
                    self.expr(&Ty::Text, d),
                    self.expr(&Ty::Text, d)
                )
            }
            7 => {
                let of = self.ty(1);
                let list = self.typed(&Ty::List(Box::new(of.clone())), d);
                format!("{{ {} {}.contains({}) }}", list.0, list.1, self.expr(&of, d))
            }
            _ => {
                let key = KEYS[self.choices.below(KEYS.len())].clone();
                let map = self.typed(&Ty::Map(Box::new(key.clone()), Box::new(Ty::Int)), d);
                format!("{{ {} {}.has({}) }}", map.0, map.1, self.expr(&key, d))
            }
        }
    }

    fn int(&mut self, d: usize) -> String {
        match self.choices.below(9) {
            0..3 => {
                let sign = ["+", "-", "*"][self.choices.below(3)];
                format!("({} {sign} {})", self.expr(&Ty::Int, d), self.expr(&Ty::Int, d))
            }
            3 => {
                let method = ["div", "rem"][self.choices.below(2)];
                format!(
                    "{}.{method}({})",
                    self.operand(&Ty::Int, d),
                    self.expr(&Ty::Int, d)
                )
            }
            4 => format!("{}.abs()", self.operand(&Ty::Int, d)),
            5 => {
                let method = ["floor", "ceil", "round", "numerator", "denominator"][self.choices.below(5)];
                format!("{}.{method}()", self.operand(&Ty::Ratio, d))
            }
            6 => {
                let of = self.ty(1);
                let list = self.typed(&Ty::List(Box::new(of)), d);
                format!("{{ {} {}.len() }}", list.0, list.1)
            }
            7 => {
                let list = self.typed(&Ty::List(Box::new(Ty::Int)), d);
                format!("{{ {} {}.sum() }}", list.0, list.1)
            }
            _ => self.scaled(&Ty::Int, d),
        }
    }

    /// A value in parentheses: in front of a method, a literal's unit would end in the wrong place.
    fn operand(&mut self, ty: &Ty, d: usize) -> String {
        format!("({})", self.expr(ty, d))
    }

    fn scaled(&mut self, ty: &Ty, d: usize) -> String {
        let method = ["times_floor", "times_ceil", "times_round"][self.choices.below(3)];
        format!("{}.{method}({})", self.operand(ty, d), self.expr(&Ty::Ratio, d))
    }

    fn ratio(&mut self, d: usize) -> String {
        match self.choices.below(6) {
            0..3 => {
                let sign = ["+", "-", "*", "/"][self.choices.below(4)];
                format!(
                    "({} {sign} {})",
                    self.expr(&Ty::Ratio, d),
                    self.expr(&Ty::Ratio, d)
                )
            }
            3 => {
                let ty = [Ty::Int, Ty::Mana, Ty::Eur, Ty::Duration][self.choices.below(4)].clone();
                // Two literals would be a constant, which may have no value.
                let above = self.typed(&ty, d);
                format!("{{ {} {} / {} }}", above.0, above.1, self.expr(&ty, d))
            }
            4 => format!("(-{})", self.operand(&Ty::Ratio, d)),
            _ => {
                let list = self.typed(&Ty::List(Box::new(Ty::Ratio)), d);
                format!("{{ {} {}.sum() }}", list.0, list.1)
            }
        }
    }

    fn quantity(&mut self, ty: &Ty, d: usize) -> String {
        match self.choices.below(6) {
            0 | 1 => {
                let sign = ["+", "-"][self.choices.below(2)];
                format!("({} {sign} {})", self.expr(ty, d), self.expr(ty, d))
            }
            2 => format!("({} * {})", self.expr(ty, d), self.expr(&Ty::Int, d)),
            3 => self.scaled(ty, d),
            4 => {
                let list = self.typed(&Ty::List(Box::new(ty.clone())), d);
                format!("{{ {} {}.sum() }}", list.0, list.1)
            }
            _ => match ty {
                Ty::Eur => format!("{}.abs()", self.operand(ty, d)),
                Ty::Duration => format!(
                    "{}.since({})",
                    self.operand(&Ty::Time, d),
                    self.expr(&Ty::Time, d)
                ),
                _ => format!("{}.minus_or_zero({})", self.operand(ty, d), self.expr(ty, d)),
            },
        }
    }

    /// A text of a few values, named before it.
    fn joined(&mut self, d: usize) -> String {
        let mut lets = String::new();
        let mut text = String::new();
        for _ in 0..=self.choices.below(3) {
            let ty = SIMPLE[self.choices.below(SIMPLE.len())].clone();
            let ty = if ty.is_showable() { ty } else { Ty::Int };
            let value = self.typed(&ty, d);
            lets.push_str(&value.0);
            lets.push(' ');
            write!(
                text,
                "{}{{{}}}",
                ["", "-", "x\\n"][self.choices.below(3)],
                value.1
            )
            .unwrap();
        }
        format!("{{ {lets} \"{text}\" }}")
    }

    fn list(&mut self, ty: &Ty, of: &Ty, d: usize) -> String {
        match self.choices.below(4) {
            0 => {
                let list = self.typed(ty, d);
                format!("{{ {} {}.push({}) }}", list.0, list.1, self.expr(of, d))
            }
            1 => {
                let list = self.typed(ty, d);
                format!("{{ {} {}.concat({}) }}", list.0, list.1, self.expr(ty, d))
            }
            2 if KEYS.contains(of) => {
                let map = self.typed(&Ty::Map(Box::new(of.clone()), Box::new(Ty::Int)), d);
                format!("{{ {} {}.keys() }}", map.0, map.1)
            }
            _ => {
                let from = self.ty(1);
                let list = self.typed(&Ty::List(Box::new(from.clone())), d);
                let name = self.fresh();
                let outside = self.locals.len();
                self.bind(&name, from);
                let value = self.typed(of, d);
                let condition = if self.choices.one_in(2) {
                    format!(" if {}", self.expr(&Ty::Bool, d))
                } else {
                    String::new()
                };
                self.locals.truncate(outside);
                format!(
                    "{{ {} [{{ {} {} }} for {name} in {}{condition}] }}",
                    list.0, value.0, value.1, list.1
                )
            }
        }
    }

    fn literal(&mut self, ty: &Ty, depth: usize) -> String {
        let d = depth.saturating_sub(1);
        match ty {
            Ty::Bool => ["false", "true"][self.choices.below(2)].to_owned(),
            Ty::Int => format!("({})", self.choices.number()),
            Ty::Ratio => {
                const RATIOS: [&str; 6] = [
                    "0/1",
                    "1/2",
                    "-2/3",
                    "7/1",
                    "1/9223372036854775807",
                    "9223372036854775807/2",
                ];
                format!("({})", RATIOS[self.choices.below(6)])
            }
            Ty::Text => format!("\"{}\"", self.choices.text()),
            Ty::Did => format!("did(\"{}\")", DIDS[self.choices.below(2)]),
            Ty::Cid => format!("cid(\"{CID}\")"),
            Ty::Time => ["time(\"1970-01-01T00:00:00Z\")", "time(\"2026-02-28T23:59:59Z\")"]
                [self.choices.below(2)]
            .to_owned(),
            Ty::Duration => {
                ["0 ms", "90 minutes", "1 day", "9223372036854775807 ms"][self.choices.below(4)].to_owned()
            }
            Ty::Mana => ["0 mana", "1.5 mana", "9223372036854775.807 mana"][self.choices.below(3)].to_owned(),
            Ty::Eur => ["0 eur", "12.50 eur", "-0.01 eur", "-92233720368547758.08 eur"]
                [self.choices.below(4)]
            .to_owned(),
            Ty::Colour => ["Colour.Red", "Colour.Green", "Colour.Blue"][self.choices.below(3)].to_owned(),
            Ty::Pair => {
                let (a, b) = (self.expr(&Ty::Int, d), self.expr(&Ty::Text, d));
                let c = self.expr(&Ty::Option(Box::new(Ty::Ratio)), d);
                format!("Pair(b: {b}, a: {a}, c: {c})")
            }
            Ty::Shape => match self.choices.below(4) {
                0 => "Shape.Dot".to_owned(),
                1 => format!("Shape.Circle({})", self.expr(&Ty::Int, d)),
                2 => format!(
                    "Shape.Named({}, {})",
                    self.expr(&Ty::Text, d),
                    self.expr(&Ty::Pair, d)
                ),
                _ => {
                    let list = self.expr(&Ty::List(Box::new(Ty::Int)), d);
                    format!("Shape.Many({list}, {})", self.expr(&Ty::Colour, d))
                }
            },
            Ty::Option(of) => match self.choices.below(2) {
                0 => "None".to_owned(),
                _ => format!("Some({})", self.expr(of, d)),
            },
            Ty::List(of) => {
                let items: Vec<_> = (0..self.choices.below(4)).map(|_| self.expr(of, d)).collect();
                format!("[{}]", items.join(", "))
            }
            Ty::Map(key, value) => {
                let count = self.choices.below(3);
                let entries = (0..count).map(|_| format!("{}: {}", self.expr(key, d), self.expr(value, d)));
                format!("map {{ {} }}", entries.collect::<Vec<_>>().join(", "))
            }
        }
    }
}
