//! From text to tokens, comments included: the formatter needs them. Knows nothing of grammar.
use crate::{
    diagnostic::{Code, Diagnostic, Findings},
    source::Span,
};

macro_rules! keywords {
    ($($name:ident = $text:literal,)*) => {
        /// A word that is never a name.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Keyword { $(#[doc = $text] $name,)* }

        impl Keyword {
            /// Every keyword.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// As it is written.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

keywords! {
    And = "and",
    As = "as",
    Const = "const",
    Contract = "contract",
    Else = "else",
    Enum = "enum",
    False = "false",
    Fn = "fn",
    For = "for",
    If = "if",
    Import = "import",
    In = "in",
    Let = "let",
    Map = "map",
    Match = "match",
    Module = "module",
    None = "None",
    Not = "not",
    Or = "or",
    Policy = "policy",
    Process = "process",
    Record = "record",
    Return = "return",
    Role = "role",
    Some = "Some",
    Test = "test",
    True = "true",
    Unit = "unit",
    Var = "var",
    With = "with",
}

/// Words that mean something in one place only and are names elsewhere.
pub const CONTEXT_WORDS: [&str; 12] = [
    "version", "language", "scope", "decimals", "may", "requires", "refuses", "faults", "more", "at",
    "least", "than",
];

macro_rules! symbols {
    ($($name:ident = $text:literal,)*) => {
        /// Punctuation.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Symbol { $(#[doc = $text] $name,)* }

        impl Symbol {
            /// Longer ones first where one begins with another.
            const ALL: &'static [Self] = &[$(Self::$name),*];

            /// As it is written.
            pub const fn text(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

symbols! {
    FatArrow = "=>",
    Arrow = "->",
    EqualEqual = "==",
    NotEqual = "!=",
    LessEqual = "<=",
    GreaterEqual = ">=",
    Equal = "=",
    Less = "<",
    Greater = ">",
    Plus = "+",
    Minus = "-",
    Star = "*",
    Slash = "/",
    Dot = ".",
    Comma = ",",
    Colon = ":",
    Semicolon = ";",
    OpenParen = "(",
    CloseParen = ")",
    OpenBracket = "[",
    CloseBracket = "]",
    OpenBrace = "{",
    CloseBrace = "}",
}

/// What a token is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TokenKind {
    /// A name.
    Name,
    /// A keyword.
    Keyword(Keyword),
    /// Digits, perhaps with `_` between them and with decimals.
    Number,
    /// A text in double quotes.
    Text,
    /// Punctuation.
    Symbol(Symbol),
    /// From `//` to the end of the line.
    Comment,
    /// The end of the file.
    End,
}

/// A token and where it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Token {
    /// What.
    pub kind: TokenKind,
    /// Where.
    pub span: Span,
}

/// Words and signs of other languages, with what to write here.
const FOREIGN: [(&str, &str); 7] = [
    ("&&", "write `and`"),
    ("||", "write `or`"),
    ("!", "write `not`"),
    ("%", "write `a.rem(b)`"),
    ("#", "comments begin with `//`"),
    ("'", "texts are in double quotes"),
    (
        "?",
        "take an Option apart with `match`, or with `.otherwise(default)`",
    ),
];

/// All tokens of `text`, comments included, ending with [`TokenKind::End`]. `base` is the place of the
/// first byte of `text` in its file.
pub(crate) fn tokens(text: &str, base: Span, findings: &mut Findings) -> Vec<Token> {
    let mut lexer = Lexer {
        text,
        at: 0,
        base,
        tokens: Vec::with_capacity(text.len() / 4),
    };
    while lexer.at < text.len() {
        lexer.next(findings);
    }
    lexer.push(TokenKind::End, text.len());
    lexer.tokens
}

struct Lexer<'a> {
    text: &'a str,
    at: usize,
    base: Span,
    tokens: Vec<Token>,
}

impl Lexer<'_> {
    fn rest(&self) -> &str {
        &self.text[self.at..]
    }

    fn span(&self, end: usize) -> Span {
        let offset = |at: usize| self.base.start + u32::try_from(at).expect("source files are bounded");
        Span {
            source: self.base.source,
            start: offset(self.at),
            end: offset(end),
        }
    }

    fn push(&mut self, kind: TokenKind, end: usize) {
        let span = self.span(end);
        self.tokens.push(Token { kind, span });
        self.at = end;
    }

    /// The end of the longest run of characters from here on of which `belongs` holds.
    fn run(&self, belongs: impl Fn(char) -> bool) -> usize {
        let rest = self.rest();
        self.at + rest.find(|c| !belongs(c)).unwrap_or(rest.len())
    }

    fn next(&mut self, findings: &mut Findings) {
        let Some(first) = self.rest().chars().next() else {
            return;
        };
        if first.is_ascii_whitespace() {
            self.at = self.run(|c| c.is_ascii_whitespace());
        } else if self.rest().starts_with("//") {
            let end = self.run(|c| c != '\n');
            self.push(TokenKind::Comment, end);
        } else if first.is_ascii_alphabetic() || first == '_' {
            let end = self.run(|c| c.is_ascii_alphanumeric() || c == '_');
            let word = &self.text[self.at..end];
            let keyword = Keyword::ALL.iter().find(|keyword| keyword.text() == word);
            self.push(
                keyword.map_or(TokenKind::Name, |keyword| TokenKind::Keyword(*keyword)),
                end,
            );
        } else if first.is_ascii_digit() {
            self.number();
        } else if first == '"' {
            self.string(findings);
        } else if let Some(symbol) = Symbol::ALL.iter().find(|s| self.rest().starts_with(s.text())) {
            self.push(TokenKind::Symbol(*symbol), self.at + symbol.text().len());
        } else {
            self.foreign(first, findings);
        }
    }

    fn number(&mut self) {
        let digit = |c: char| c.is_ascii_digit() || c == '_';
        let mut end = self.run(digit);
        let decimals = self.text[end..].strip_prefix('.');
        if decimals.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit())) {
            let rest = &self.text[end + 1..];
            end += 1 + rest.find(|c| !digit(c)).unwrap_or(rest.len());
        }
        self.push(TokenKind::Number, end);
    }

    fn string(&mut self, findings: &mut Findings) {
        let mut escaped = false;
        for (offset, c) in self.rest().char_indices().skip(1) {
            match c {
                '\n' => break,
                '"' if !escaped => {
                    let end = self.at + offset + 1;
                    return self.push(TokenKind::Text, end);
                }
                _ => escaped = c == '\\' && !escaped,
            }
        }
        let end = self.run(|c| c != '\n');
        let span = self.span(end);
        let open = Diagnostic::new(Code::OpenText, span, "this text has no closing quote on its line");
        findings.add(open.help("put `\"` at its end; a line break in a text is written `\\n`"));
        self.push(TokenKind::Text, end);
    }

    fn foreign(&mut self, first: char, findings: &mut Findings) {
        let known = FOREIGN.iter().find(|(sign, _)| self.rest().starts_with(sign));
        let length = known.map_or(first.len_utf8(), |(sign, _)| sign.len());
        let end = self.at + length;
        let message = format!("`{}` has no meaning here", self.text[self.at..end].escape_debug());
        let diagnostic = Diagnostic::new(Code::UnknownCharacter, self.span(end), message);
        findings.add(diagnostic.help_if(known.map(|(_, help)| (*help).to_owned())));
        // The parser goes on with what was meant, and has nothing to add.
        let meant = match known {
            Some(("&&", _)) => Some(Keyword::And),
            Some(("||", _)) => Some(Keyword::Or),
            Some(("!", _)) => Some(Keyword::Not),
            _ => None,
        };
        if let Some(keyword) = meant {
            return self.push(TokenKind::Keyword(keyword), end);
        }
        self.at = end;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kinds(text: &str) -> (Vec<TokenKind>, Vec<Diagnostic>) {
        let mut findings = Findings::default();
        let tokens = tokens(text, Span::default(), &mut findings);
        (
            tokens.iter().map(|token| token.kind).collect(),
            findings.into_sorted(),
        )
    }

    #[test]
    fn a_decimal_is_a_number_and_a_method_is_not() {
        let (with, _) = kinds("1.5 mana");
        assert_eq!(with, [TokenKind::Number, TokenKind::Name, TokenKind::End]);
        let (without, _) = kinds("1.abs");
        assert_eq!(without[1], TokenKind::Symbol(Symbol::Dot));
    }

    #[test]
    fn signs_of_other_languages_are_explained() {
        let (_, findings) = kinds("a && b");
        assert_eq!(findings[0].code, Code::UnknownCharacter);
        assert_eq!(findings[0].help.as_deref(), Some("write `and`"));
    }

    #[test]
    fn an_open_text_ends_with_its_line() {
        let (tokens, findings) = kinds("\"a \\\" b\nc");
        assert_eq!(tokens, [TokenKind::Text, TokenKind::Name, TokenKind::End]);
        assert_eq!(findings[0].code, Code::OpenText);
    }
}
