//! One way to lay out source text. Works on tokens, comments included, and changes only the space between
//! them: what the parser reads stays the same. Line breaks within a statement stay where the author put
//! them; indentation, spaces and the lines of declarations and statements are this module's.
use crate::{
    diagnostic::{Diagnostic, Findings},
    lexer::{Keyword, Symbol, Token, TokenKind, tokens},
    parser,
    source::Span,
};

/// Columns that a block may have to stay on the one line on which it was written.
const MAX_LINE: usize = 100;
const INDENT: usize = 2;

/// The text, laid out.
///
/// # Errors
/// What is wrong with a text that cannot be read.
pub fn format(text: &str) -> Result<String, Vec<Diagnostic>> {
    let mut findings = Findings::default();
    parser::read(text, 0, &mut findings);
    if findings.failed() {
        return Err(findings.into_sorted());
    }
    let mut tokens = tokens(text, Span::default(), &mut findings);
    tokens.pop();
    let mut formatter = Formatter {
        text,
        tokens: &tokens,
        out: String::with_capacity(text.len()),
        open: Vec::new(),
    };
    formatter.run();
    Ok(formatter.out)
}

/// A bracket that is open.
struct Open {
    /// Whether it ends a line and what is in it is indented.
    broken: bool,
    brace: bool,
    /// Levels of indentation of what is in it.
    indent: usize,
}

struct Formatter<'a> {
    text: &'a str,
    tokens: &'a [Token],
    out: String,
    open: Vec<Open>,
}

impl Formatter<'_> {
    fn kind(&self, at: usize) -> Option<TokenKind> {
        self.tokens.get(at).map(|token| token.kind)
    }

    fn is(&self, at: usize, symbol: Symbol) -> bool {
        self.kind(at) == Some(TokenKind::Symbol(symbol))
    }

    fn token_text(&self, at: usize) -> &str {
        &self.text[self.tokens[at].span.range()]
    }

    /// How many line breaks stand before a token.
    fn breaks_before(&self, at: usize) -> usize {
        let Some(before) = at.checked_sub(1) else { return 0 };
        let (from, to) = (
            self.tokens[before].span.end as usize,
            self.tokens[at].span.start as usize,
        );
        self.text[from..to].bytes().filter(|byte| *byte == b'\n').count()
    }

    fn run(&mut self) {
        for at in 0..self.tokens.len() {
            self.close(at);
            self.space(at);
            let text = self.token_text(at).trim_end().to_owned();
            self.out.push_str(&text);
            self.open(at);
        }
        if !self.out.is_empty() {
            self.out.push('\n');
        }
    }

    fn is_opening(kind: TokenKind) -> bool {
        matches!(
            kind,
            TokenKind::Symbol(Symbol::OpenBrace | Symbol::OpenParen | Symbol::OpenBracket)
        )
    }

    fn is_closing(kind: TokenKind) -> bool {
        matches!(
            kind,
            TokenKind::Symbol(Symbol::CloseBrace | Symbol::CloseParen | Symbol::CloseBracket)
        )
    }

    fn open(&mut self, at: usize) {
        if !Self::is_opening(self.tokens[at].kind) {
            return;
        }
        let brace = self.is(at, Symbol::OpenBrace);
        let broken = if brace {
            !self.stays_on_line(at)
        } else {
            self.breaks_before(at + 1) > 0
        };
        let outer = self.open.last().map_or(0, |open| open.indent);
        self.open.push(Open {
            broken,
            brace,
            indent: outer + usize::from(broken),
        });
    }

    fn close(&mut self, at: usize) {
        if Self::is_closing(self.tokens[at].kind)
            && let Some(open) = self.open.pop()
            && open.broken
            && at > 0
            && !Self::is_opening(self.tokens[at - 1].kind)
        {
            let indent = self.open.last().map_or(0, |open| open.indent);
            self.line(1, indent);
        }
    }

    /// Whether the block that opens here was written on one line and is short enough to stay there.
    fn stays_on_line(&self, at: usize) -> bool {
        let mut depth = 0usize;
        let line = self.out.rsplit('\n').next().unwrap_or_default().chars().count();
        let mut length = line;
        for inner in at..self.tokens.len() {
            let kind = self.tokens[inner].kind;
            if inner > at && (self.breaks_before(inner) > 0 || kind == TokenKind::Comment) {
                return false;
            }
            length += self.token_text(inner).chars().count() + 1;
            depth += usize::from(Self::is_opening(kind));
            depth -= usize::from(Self::is_closing(kind));
            if depth == 0 {
                return length <= MAX_LINE + 1;
            }
        }
        false
    }

    fn line(&mut self, breaks: usize, indent: usize) {
        let trimmed = self.out.trim_end_matches([' ', '\n']).len();
        self.out.truncate(trimmed);
        for _ in 0..breaks.clamp(1, 2) {
            self.out.push('\n');
        }
        self.out.push_str(&" ".repeat(indent * INDENT));
    }

    /// Writes what stands before a token.
    fn space(&mut self, at: usize) {
        let Some(before) = at.checked_sub(1) else { return };
        let kind = self.tokens[at].kind;
        let previous = self.tokens[before].kind;
        // Already on a line of its own.
        if Self::is_closing(kind)
            && self.out.ends_with([' ', '\n'])
            && self.out.trim_end_matches(' ').ends_with('\n')
        {
            return;
        }
        let breaks = self.breaks_before(at);
        let indent = self.open.last().map_or(0, |open| open.indent);
        let in_block = self.open.last().is_none_or(|open| open.brace && open.broken);
        if previous == TokenKind::Comment {
            return self.line(breaks, indent);
        }
        if kind == TokenKind::Comment {
            if breaks == 0 {
                self.out.push_str("  ");
            } else {
                self.line(breaks, indent);
            }
            return;
        }
        if Self::is_opening(previous) {
            let broken = self.open.last().is_some_and(|open| open.broken) && !Self::is_closing(kind);
            if broken {
                self.line(1, indent);
            } else if previous == TokenKind::Symbol(Symbol::OpenBrace)
                && kind != TokenKind::Symbol(Symbol::CloseBrace)
            {
                self.out.push(' ');
            }
            return;
        }
        let ends_statement =
            in_block && previous == TokenKind::Symbol(Symbol::Semicolon) && !Self::is_closing(kind);
        let ends_block =
            in_block && previous == TokenKind::Symbol(Symbol::CloseBrace) && !Self::continues(kind);
        let top = self.open.is_empty() && Self::begins_declaration(kind);
        if ends_statement || ends_block || top {
            // Declarations with a body stand apart.
            let apart =
                self.open.is_empty() && (previous == TokenKind::Symbol(Symbol::CloseBrace) || breaks > 1);
            return self.line(if apart { 2 } else { breaks.max(1) }, indent);
        }
        if breaks > 0 && !Self::is_closing(kind) && self.may_break(at) {
            // What continues a statement is indented once more; the elements of a list are not.
            let element = previous == TokenKind::Symbol(Symbol::Comma)
                && self.open.last().is_some_and(|open| open.broken);
            return self.line(
                breaks.min(if element { 2 } else { 1 }),
                indent + usize::from(!element),
            );
        }
        if self.wants_space(before, at) {
            self.out.push(' ');
        }
    }

    /// Where a line may break within a statement; elsewhere it is joined.
    fn may_break(&self, at: usize) -> bool {
        !self.is(at, Symbol::OpenBrace)
            && !self.is(at, Symbol::Semicolon)
            && !self.is(at, Symbol::Comma)
            && self.kind(at) != Some(TokenKind::Keyword(Keyword::Else))
    }

    fn begins_declaration(kind: TokenKind) -> bool {
        use Keyword::{Const, Enum, Fn, Import, Policy, Process, Record, Role, Test, Unit};
        matches!(
            kind,
            TokenKind::Keyword(Const | Enum | Fn | Import | Policy | Process | Record | Role | Test | Unit)
        )
    }

    /// Whether a token goes on behind the brace that closes a block: signs do, but for those with which a
    /// statement can begin.
    fn continues(kind: TokenKind) -> bool {
        match kind {
            TokenKind::Symbol(symbol) => {
                !matches!(symbol, Symbol::Minus | Symbol::OpenParen | Symbol::OpenBracket)
            }
            TokenKind::Keyword(keyword) => {
                matches!(
                    keyword,
                    Keyword::Else | Keyword::And | Keyword::Or | Keyword::With
                )
            }
            _ => false,
        }
    }

    fn wants_space(&self, before: usize, at: usize) -> bool {
        use Symbol::{
            CloseBrace, CloseBracket, CloseParen, Colon, Comma, Dot, Greater, Minus, OpenBracket, OpenParen,
            Semicolon,
        };
        let is_symbol = |at: usize| matches!(self.tokens[at].kind, TokenKind::Symbol(_));
        if !is_symbol(before) && !is_symbol(at) {
            return true;
        }
        let is = |at: usize, symbol: Symbol| self.is(at, symbol);
        if self.is_bracket_of_type(at) || self.is_bracket_of_type(before) && !is(before, Greater) {
            return false;
        }
        if self.is_fraction(before) || self.is_fraction(at) {
            return false;
        }
        if is(before, Minus) && self.is_sign(before) {
            return false;
        }
        if is(at, Comma)
            || is(at, Semicolon)
            || is(at, Dot)
            || is(at, Colon)
            || is(at, CloseParen)
            || is(at, CloseBracket)
        {
            return false;
        }
        if is(before, Dot) || is(before, OpenParen) || is(before, OpenBracket) {
            return false;
        }
        if is(at, CloseBrace) || is(before, Symbol::OpenBrace) {
            return true;
        }
        if is(at, OpenParen) || is(at, OpenBracket) {
            let called = match self.tokens[before].kind {
                TokenKind::Name | TokenKind::Text => true,
                TokenKind::Keyword(keyword) => keyword == Keyword::Some,
                TokenKind::Symbol(symbol) => matches!(symbol, CloseParen | CloseBracket),
                _ => false,
            };
            return !called;
        }
        true
    }

    /// Whether this is the stroke of a fraction of two plain numbers, as in `1/2`.
    fn is_fraction(&self, at: usize) -> bool {
        let number = |at: usize| self.kind(at) == Some(TokenKind::Number);
        let plain = self.kind(at + 2) != Some(TokenKind::Name);
        self.is(at, Symbol::Slash) && at > 0 && number(at - 1) && number(at + 1) && plain
    }

    /// Whether a minus stands before a value, not between two.
    fn is_sign(&self, at: usize) -> bool {
        let Some(before) = at.checked_sub(1) else {
            return true;
        };
        match self.tokens[before].kind {
            TokenKind::Name | TokenKind::Number | TokenKind::Text => false,
            TokenKind::Keyword(keyword) => !matches!(keyword, Keyword::True | Keyword::False | Keyword::None),
            TokenKind::Symbol(symbol) => !matches!(
                symbol,
                Symbol::CloseParen | Symbol::CloseBracket | Symbol::CloseBrace
            ),
            _ => true,
        }
    }

    /// Whether an angle bracket belongs to a type: `List<`, and what closes it.
    fn is_bracket_of_type(&self, at: usize) -> bool {
        if self.is(at, Symbol::Less) {
            return at > 0 && matches!(self.token_text(at - 1), "List" | "Map" | "Option" | "Amount");
        }
        if !self.is(at, Symbol::Greater) {
            return false;
        }
        let mut depth = 0i32;
        for inner in (0..at).rev() {
            match self.tokens[inner].kind {
                TokenKind::Symbol(Symbol::Greater) => depth += 1,
                TokenKind::Symbol(Symbol::Less) if depth > 0 => depth -= 1,
                TokenKind::Symbol(Symbol::Less) => return self.is_bracket_of_type(inner),
                TokenKind::Name | TokenKind::Symbol(Symbol::Comma | Symbol::Dot) => {}
                _ => return false,
            }
        }
        false
    }
}
