//! Roles and processes.
use super::{Checker, Parts, Symbol, bodies::Purpose};
use crate::{
    ast::{Expr, ExprKind, Name, ProcessItem, ProcessValue, RoleItem},
    diagnostic::{Code, Diagnostic},
    interface::{
        ELECTORATES, METHODS, PERMISSIONS, PROCESS_FIELDS, PROPOSAL_KINDS, ProposalKind, ROLE_INPUT,
        input_type,
    },
    ir::{Process, Role, Threshold},
    number::Ratio,
    source::Span,
    types::Type,
    value::Value,
};

const HOUR_MS: i64 = 3_600_000;
const YEAR_MS: i64 = 366 * 24 * HOUR_MS;
const MAX_SPONSORS: i64 = 64;

/// The one of `known` that `name` is.
fn known(name: &Name, known: &[(&'static str, &str)]) -> Option<&'static str> {
    known
        .iter()
        .map(|(known, _)| *known)
        .find(|known| *known == name.text)
}

impl Checker {
    fn unknown(&mut self, name: &Name, what: &str, known: &[&str]) {
        let help = self.findings.suggestion(&name.text, || known);
        let help = help.unwrap_or_else(|| format!("there are {}", known.join(", ")));
        let diagnostic = Diagnostic::new(
            Code::UnknownItem,
            name.span,
            format!("there is no {what} `{}`", name.text),
        );
        self.findings.add(diagnostic.help(help));
    }

    pub(super) fn role_item(&mut self, module: usize, item: &RoleItem, parts: &mut Parts) {
        if parts.roles.iter().any(|role| role.name == item.name.text) {
            let message = format!("the role `{}` is declared twice", item.name.text);
            self.report(Code::DuplicateName, item.name.span, message);
        }
        self.check_distinct(&item.may);
        let mut may = Vec::new();
        for name in &item.may {
            match known(name, PERMISSIONS) {
                Some(permission) => may.push(permission),
                None => {
                    let names: Vec<_> = PERMISSIONS.iter().map(|(name, _)| *name).collect();
                    self.unknown(name, "permission", &names);
                }
            }
        }
        let mut requires = None;
        if let Some((param, block)) = &item.requires
            && let Symbol::Function(id) = self.new_function(&item.name)
        {
            self.signatures[id].params = vec![input_type(ROLE_INPUT)];
            self.signatures[id].result = Type::Bool;
            self.body(module, id, core::slice::from_ref(param), block, Purpose::Function);
            requires = Some(id);
        }
        parts.roles.push(Role {
            name: item.name.text.clone(),
            may,
            requires,
        });
    }

    pub(super) fn process_item(&mut self, item: &ProcessItem, parts: &mut Parts) {
        self.check_distinct(item.fields.iter().map(|(name, _)| name));
        for (name, _) in &item.fields {
            if known(name, PROCESS_FIELDS).is_none() {
                let names: Vec<_> = PROCESS_FIELDS.iter().map(|(name, _)| *name).collect();
                self.unknown(name, "property", &names);
            }
        }
        if parts
            .processes
            .iter()
            .any(|process| process.name == item.name.text)
        {
            let message = format!("the process `{}` is declared twice", item.name.text);
            self.report(Code::DuplicateName, item.name.span, message);
        }
        let Some(kind) = self.process_kind(item) else {
            return;
        };
        if let Some(other) = parts
            .processes
            .iter()
            .find(|process| process.kind.name == kind.name)
        {
            let message = format!("`{}` already decides about `{}`", other.name, kind.name);
            let diagnostic = Diagnostic::new(Code::BadProcess, item.name.span, message);
            self.findings
                .add(diagnostic.help("one process decides about a kind of proposals"));
        }
        if let Some(process) = self.process(item, kind, parts) {
            parts.processes.push(process);
        }
    }

    fn process_kind(&mut self, item: &ProcessItem) -> Option<&'static ProposalKind> {
        let name = self.word(item, "proposal", true)?;
        let Some(kind) = PROPOSAL_KINDS.iter().find(|kind| kind.name == name.text) else {
            let names: Vec<_> = PROPOSAL_KINDS.iter().map(|kind| kind.name).collect();
            self.unknown(&name, "kind of proposal", &names);
            return None;
        };
        if kind.built_in {
            let message = format!("how proposals to {} are decided is built in", kind.doc);
            let diagnostic = Diagnostic::new(Code::BadProcess, name.span, message);
            self.findings.add(
                diagnostic.help("no rule may stand in the way of its own repeal; leave this process out"),
            );
            return None;
        }
        Some(kind)
    }

    fn process(&mut self, item: &ProcessItem, kind: &'static ProposalKind, parts: &Parts) -> Option<Process> {
        let electorate = self.choice(item, "electorate", ELECTORATES, None);
        let method = self.choice(item, "method", METHODS, None);
        let eligible = self.eligible(item, parts);
        let quorum = self.ratio(item, "quorum");
        let threshold = self.threshold(item, method);
        let duration_ms = self.number(
            item,
            "duration",
            &Type::Duration,
            (HOUR_MS, YEAR_MS),
            None,
            "an hour to 366 days",
        );
        let timelock_ms = self.number(
            item,
            "timelock",
            &Type::Duration,
            (0, YEAR_MS),
            Some(0),
            "at most 366 days",
        );
        let sponsors = self.number(
            item,
            "sponsors",
            &Type::Int,
            (0, MAX_SPONSORS),
            Some(0),
            "0 to 64",
        );
        let votes = self.choice(
            item,
            "votes",
            &[("changeable", ""), ("final", "")],
            Some("changeable"),
        );
        let executes = self.executes(item, kind);
        Some(Process {
            name: item.name.text.clone(),
            kind,
            electorate: electorate?,
            eligible,
            method: method?,
            quorum: quorum?,
            threshold: threshold?,
            duration_ms: duration_ms?,
            timelock_ms: timelock_ms?,
            sponsors: sponsors?,
            votes_final: votes? == "final",
            executes: executes?,
        })
    }

    /// The value of a property; reports it if it is missing and has to be there.
    fn property(&mut self, item: &ProcessItem, name: &str, needed: bool) -> Option<ProcessValue> {
        let found = item.fields.iter().find(|(field, _)| field.text == name);
        if found.is_none() && needed {
            let message = format!("the process `{}` does not say its `{name}`", item.name.text);
            let doc = PROCESS_FIELDS
                .iter()
                .find(|(field, _)| *field == name)
                .map(|(_, doc)| *doc);
            let diagnostic = Diagnostic::new(Code::MissingField, item.name.span, message);
            self.findings
                .add(diagnostic.help(format!("write `{name}: …;`: {}", doc.unwrap_or_default())));
        }
        found.map(|(_, value)| value.clone())
    }

    fn word(&mut self, item: &ProcessItem, name: &str, needed: bool) -> Option<Name> {
        match self.property(item, name, needed)? {
            ProcessValue::Value(Expr {
                kind: ExprKind::Name(word),
                ..
            }) => Some(word),
            other => {
                let span = value_span(&other);
                self.report(Code::WrongType, span, format!("`{name}` is one word"));
                None
            }
        }
    }

    fn choice(
        &mut self,
        item: &ProcessItem,
        name: &str,
        choices: &[(&'static str, &str)],
        without: Option<&'static str>,
    ) -> Option<&'static str> {
        let given = item.fields.iter().any(|(field, _)| field.text == name);
        if !given && without.is_some() {
            return without;
        }
        let word = self.word(item, name, true)?;
        let found = known(&word, choices);
        if found.is_none() {
            let names: Vec<_> = choices.iter().map(|(name, _)| *name).collect();
            self.unknown(&word, name, &names);
        }
        found
    }

    fn eligible(&mut self, item: &ProcessItem, parts: &Parts) -> Vec<String> {
        let names = match self.property(item, "eligible", false) {
            None => return Vec::new(),
            Some(ProcessValue::Words(names)) => names,
            Some(ProcessValue::Value(Expr {
                kind: ExprKind::Name(name),
                ..
            })) => vec![name],
            Some(other) => {
                self.report(
                    Code::WrongType,
                    value_span(&other),
                    "`eligible` names roles, separated by commas",
                );
                return Vec::new();
            }
        };
        for name in &names {
            match parts.roles.iter().find(|role| role.name == name.text) {
                None => {
                    let roles: Vec<_> = parts.roles.iter().map(|role| role.name.as_str()).collect();
                    self.unknown(name, "role", &roles);
                }
                Some(role) if !role.may.contains(&"vote") => {
                    let diagnostic = Diagnostic::new(
                        Code::BadProcess,
                        name.span,
                        format!("`{}` may not vote", name.text),
                    );
                    self.findings
                        .add(diagnostic.help("write `may vote;` in the role"));
                }
                Some(_) => {}
            }
        }
        names.into_iter().map(|name| name.text).collect()
    }

    fn constant_property(&mut self, expr: &Expr, ty: &Type) -> Option<Value> {
        self.constant(0, expr, ty)
    }

    /// A share that is more than 0 and at most 1.
    fn ratio(&mut self, item: &ProcessItem, name: &str) -> Option<Ratio> {
        let value = self.property(item, name, true)?;
        let ProcessValue::Value(expr) = value else {
            self.report(
                Code::WrongType,
                value_span(&value),
                format!("`{name}` is a share, such as 1/3"),
            );
            return None;
        };
        let Some(Value::Ratio(ratio)) = self.constant_property(&expr, &Type::Ratio) else {
            return None;
        };
        if ratio.numerator() <= 0 || ratio.rounded(crate::number::Rounding::Ceil) > 1 {
            let diagnostic = Diagnostic::new(Code::BadProcess, expr.span, format!("`{name}` is {ratio}"));
            self.findings
                .add(diagnostic.help("it is a share of the roll: more than 0, and at most 1"));
            return None;
        }
        Some(ratio)
    }

    /// The outer option is empty after a fault.
    #[allow(clippy::option_option, reason = "consent has no threshold, which is no fault")]
    fn threshold(&mut self, item: &ProcessItem, method: Option<&str>) -> Option<Option<Threshold>> {
        let consent = method == Some("consent");
        let Some(value) = self.property(item, "threshold", !consent) else {
            return consent.then_some(None);
        };
        if consent {
            let diagnostic =
                Diagnostic::new(Code::BadProcess, value_span(&value), "consent has no threshold");
            self.findings
                .add(diagnostic.help("leave it out: one paramount objection blocks"));
            return None;
        }
        let (expr, exclusive, span) = match value {
            ProcessValue::MoreThan(expr, span) => (expr, true, span),
            ProcessValue::AtLeast(expr, span) => (expr, false, span),
            other => {
                let diagnostic = Diagnostic::new(
                    Code::WrongType,
                    value_span(&other),
                    "whether the share itself is enough is not said",
                );
                self.findings
                    .add(diagnostic.help("write `more than 1/2` or `at least 2/3`"));
                return None;
            }
        };
        let Some(Value::Ratio(ratio)) = self.constant_property(&expr, &Type::Ratio) else {
            return None;
        };
        let (zero, one) = (Ratio::new(0, 1).ok()?, Ratio::new(1, 1).ok()?);
        let fits = if exclusive {
            zero <= ratio && ratio < one
        } else {
            zero < ratio && ratio <= one
        };
        if !fits {
            let message = format!(
                "no share of the votes is {}{ratio}, or every share is",
                if exclusive { "more than " } else { "at least " }
            );
            self.report(Code::BadProcess, span, message);
            return None;
        }
        Some(Some(if exclusive {
            Threshold::MoreThan(ratio)
        } else {
            Threshold::AtLeast(ratio)
        }))
    }

    fn number(
        &mut self,
        item: &ProcessItem,
        name: &str,
        ty: &Type,
        (least, most): (i64, i64),
        without: Option<i64>,
        allowed: &str,
    ) -> Option<i64> {
        let Some(value) = self.property(item, name, without.is_none()) else {
            return without;
        };
        let ProcessValue::Value(expr) = value else {
            self.report(
                Code::WrongType,
                value_span(&value),
                format!("`{name}` is one value"),
            );
            return None;
        };
        let number = self.constant_property(&expr, ty)?.as_number()?;
        if !(least..=most).contains(&number) {
            self.report(Code::BadProcess, expr.span, format!("`{name}` is {allowed}"));
            return None;
        }
        Some(number)
    }

    fn executes(&mut self, item: &ProcessItem, kind: &ProposalKind) -> Option<bool> {
        let word = self.word(item, "executes", true)?;
        if word.text == "nothing" {
            return Some(false);
        }
        if Some(word.text.as_str()) == kind.effect {
            return Some(true);
        }
        let allowed: Vec<_> = kind.effect.into_iter().chain(["nothing"]).collect();
        self.unknown(&word, "effect of this kind", &allowed);
        None
    }
}

fn value_span(value: &ProcessValue) -> Span {
    match value {
        ProcessValue::Value(expr) => expr.span,
        ProcessValue::Words(words) => words.first().map(|word| word.span).unwrap_or_default(),
        ProcessValue::MoreThan(_, span) | ProcessValue::AtLeast(_, span) => *span,
    }
}
