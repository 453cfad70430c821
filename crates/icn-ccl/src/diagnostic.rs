//! What is wrong with a contract, as data: a stable code, a message, places, and a way out.
//!
//! How it looks on a terminal is not decided here; `icn-cli` draws it.
use crate::{limits::MAX_DIAGNOSTICS, source::Span};
use core::fmt;

macro_rules! codes {
    ($($name:ident = $number:literal, $title:literal;)*) => {
        /// The kinds of faults in source text. The numbers are stable; docs/reference/ccl.md lists them.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Code {
            $(#[doc = $title] $name = $number,)*
        }

        impl Code {
            /// Every code.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// What is wrong, in a few words.
            pub const fn title(self) -> &'static str {
                match self { $(Self::$name => $title,)* }
            }
        }
    };
}

codes! {
    SourceTooLong = 1, "the source file is too long";
    UnknownCharacter = 2, "a character that the language has no use for";
    OpenText = 3, "a text without its closing quote";
    BadEscape = 4, "an escape in a text that does not exist";
    BadNumber = 5, "a number that does not fit or is not written right";
    UnexpectedToken = 6, "something else was expected here";
    TooDeep = 7, "nested too deeply";
    BadHeader = 8, "the header of the file is not right";
    WrongLanguage = 9, "a version of the language that this compiler does not know";
    TooMany = 10, "more of something than the language allows";
    DuplicateName = 11, "a name is declared twice";
    ReservedName = 12, "a name that the language or the interface uses";
    UnknownName = 13, "a name that nothing declares";
    UnknownType = 14, "a type that nothing declares";
    UnknownField = 15, "a field that the record does not have";
    UnknownVariant = 16, "a variant that the enum does not have";
    UnknownMethod = 17, "a method that the type does not have";
    WrongType = 18, "another type was expected";
    WrongOperands = 19, "the operator does not work on these types";
    WrongCount = 20, "too many or too few values";
    MissingField = 21, "a field of the record is missing";
    DuplicateField = 22, "a field is given twice";
    NeedsType = 23, "the type cannot be told from the context";
    NotExhaustive = 24, "the match does not cover every value";
    UnreachableArm = 25, "an arm of the match that nothing reaches";
    NotAssignable = 26, "only a `var` of this function can be assigned";
    NoValue = 27, "a value is missing here";
    UnusedValue = 28, "a value that nothing uses";
    Recursion = 29, "functions that call each other in a circle";
    RecursiveType = 30, "a type that contains itself";
    ConstantFails = 31, "the constant has no value";
    NotConstant = 32, "a value known at compile time is needed";
    UnknownSlot = 33, "a policy for a slot that the interface does not have";
    UnknownItem = 34, "an item that this declaration does not know";
    BadProcess = 35, "the process cannot be carried out as it is declared";
    ImportFails = 36, "the module cannot be imported";
    NotForModules = 37, "a module declares what only a contract may";
    NotKey = 38, "a type that cannot be the key of a map";
    NotText = 39, "a type that cannot be put into a text";
    BadLiteral = 40, "a literal that does not stand for a value";
    OnlyInTests = 41, "only tests may say this";
    UnreachableCode = 42, "nothing reaches this";
    UnusedName = 60, "a name that nothing uses";
}

impl Code {
    /// Whether it only warns.
    pub const fn is_warning(self) -> bool {
        self as u16 >= 60
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "C{:04}", *self as u16)
    }
}

/// A place, and what is to be said about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What; may be empty.
    pub text: String,
}

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    /// The kind.
    pub code: Code,
    /// What is wrong here, in lower case and without a full stop.
    pub message: String,
    /// Where it is wrong; the first is the main place.
    pub labels: Vec<Label>,
    /// What to do about it.
    pub help: Option<String>,
}

impl Diagnostic {
    pub(crate) fn new(code: Code, span: Span, message: impl Into<String>) -> Self {
        Self {
            code,
            message: message.into(),
            labels: vec![Label {
                span,
                text: String::new(),
            }],
            help: None,
        }
    }

    /// Says something at the main place.
    pub(crate) fn here(mut self, text: impl Into<String>) -> Self {
        self.labels[0].text = text.into();
        self
    }

    /// Points to a further place.
    pub(crate) fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push(Label {
            span,
            text: text.into(),
        });
        self
    }

    pub(crate) fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    pub(crate) fn help_if(mut self, text: Option<String>) -> Self {
        self.help = text.or(self.help);
        self
    }

    /// The main place.
    pub fn span(&self) -> Span {
        self.labels[0].span
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let kind = if self.code.is_warning() {
            "warning"
        } else {
            "error"
        };
        write!(f, "{kind} {}: {}", self.code, self.message)?;
        self.help.as_ref().map_or(Ok(()), |help| write!(f, "; {help}"))
    }
}

/// What a check has found so far.
#[derive(Clone, Debug, Default)]
pub(crate) struct Findings {
    list: Vec<Diagnostic>,
    failed: bool,
}

impl Findings {
    pub(crate) fn add(&mut self, diagnostic: Diagnostic) {
        self.failed |= !diagnostic.code.is_warning();
        let known = |other: &Diagnostic| other.span() == diagnostic.span() && other.code == diagnostic.code;
        if self.list.len() < MAX_DIAGNOSTICS && !self.list.iter().any(known) {
            self.list.push(diagnostic);
        }
    }

    /// The one of `names` that `wrong` was probably meant to be, as a suggestion. They are looked through only as long as
    /// somebody is told: a source has room for thousands of wrong names beside a thousand right ones.
    pub(crate) fn suggestion<N: AsRef<str>, I: IntoIterator<Item = N>>(
        &self,
        wrong: &str,
        names: impl FnOnce() -> I,
    ) -> Option<String> {
        if self.is_full() {
            return None;
        }
        let names: Vec<N> = names().into_iter().collect();
        did_you_mean(wrong, names.iter().map(AsRef::as_ref))
    }

    /// Whether more are only counted.
    fn is_full(&self) -> bool {
        self.list.len() >= MAX_DIAGNOSTICS
    }

    /// Whether one of them is more than a warning.
    pub(crate) fn failed(&self) -> bool {
        self.failed
    }

    /// In the order of the source. Beside errors, warnings would mostly be about what the errors left out.
    pub(crate) fn into_sorted(mut self) -> Vec<Diagnostic> {
        if self.failed {
            self.list.retain(|diagnostic| !diagnostic.code.is_warning());
        }
        self.list
            .sort_by_key(|diagnostic| (diagnostic.span(), diagnostic.code));
        self.list
    }
}

/// The one of `names` that `wrong` was probably meant to be, as a suggestion.
fn did_you_mean<'a>(wrong: &str, names: impl IntoIterator<Item = &'a str>) -> Option<String> {
    let allowed = (wrong.chars().count() / 3).max(1);
    let alike = |name: &&str| *name != wrong && name.len().abs_diff(wrong.len()) <= 3 * allowed;
    let near = names.into_iter().filter(alike);
    let near = near.map(|name| (distance(wrong, name), name));
    let (steps, name) = near.min()?;
    (steps <= allowed).then(|| format!("did you mean `{name}`?"))
}

/// How many letters have to be put in, taken out, replaced or swapped with the next to get from one to the
/// other.
fn distance(from: &str, to: &str) -> usize {
    let from: Vec<char> = from.to_lowercase().chars().take(64).collect();
    let to: Vec<char> = to.to_lowercase().chars().take(64).collect();
    let mut rows = vec![vec![0; to.len() + 1]; from.len() + 1];
    for row in 0..=from.len() {
        for column in 0..=to.len() {
            rows[row][column] = if row == 0 || column == 0 {
                row + column
            } else {
                let changed = usize::from(from[row - 1] != to[column - 1]);
                let mut least = (rows[row - 1][column - 1] + changed)
                    .min(rows[row - 1][column] + 1)
                    .min(rows[row][column - 1] + 1);
                let swapped = row > 1
                    && column > 1
                    && from[row - 1] == to[column - 2]
                    && from[row - 2] == to[column - 1];
                if swapped {
                    least = least.min(rows[row - 2][column - 2] + 1);
                }
                least
            };
        }
    }
    rows[from.len()][to.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggestions_are_near() {
        let names = ["balance", "capacity", "base_rate"];
        assert_eq!(
            did_you_mean("balnace", names).as_deref(),
            Some("did you mean `balance`?")
        );
        assert_eq!(
            did_you_mean("Balance", names).as_deref(),
            Some("did you mean `balance`?")
        );
        assert_eq!(did_you_mean("xyz", names), None);
    }

    #[test]
    fn nobody_looks_for_what_nobody_is_told() {
        let mut findings = Findings::default();
        for start in (0..).take(MAX_DIAGNOSTICS) {
            assert!(findings.suggestion("balnace", || ["balance"]).is_some());
            let span = Span {
                source: 0,
                start,
                end: start,
            };
            findings.add(Diagnostic::new(Code::UnknownName, span, "there is none"));
        }
        let looked = || -> [&str; 1] { panic!("the names are looked up") };
        assert_eq!(findings.suggestion("balnace", looked), None);
    }

    #[test]
    fn codes_are_four_digits() {
        assert_eq!(Code::SourceTooLong.to_string(), "C0001");
        assert!(Code::ALL.iter().all(|code| (*code as u16) < 100));
    }
}
