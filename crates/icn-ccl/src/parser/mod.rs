//! From tokens to declarations. Goes on after a fault: with the next statement, or the next declaration.
//!
//! Recursive descent with a bound on nesting ([`MAX_NESTING`]), which also bounds how deep every later pass
//! goes. A fault is reported where it is found; [`Failed`] only says that it has been.
mod declarations;
mod expressions;
mod patterns;
mod statements;

use crate::{
    ast::{File, Name},
    diagnostic::{Code, Diagnostic, Findings},
    lexer::{Keyword, Symbol, Token, TokenKind, tokens},
    limits::{MAX_NAME_BYTES, MAX_NESTING, MAX_SOURCE_BYTES},
    source::Span,
};

/// Something could not be read, and has been reported.
pub(crate) struct Failed;

pub(crate) type Parsed<T> = Result<T, Failed>;

/// Reads the file with the number `source`.
pub(crate) fn read(text: &str, source: u16, findings: &mut Findings) -> File {
    let base = Span {
        source,
        start: 0,
        end: 0,
    };
    if text.len() > MAX_SOURCE_BYTES {
        let message = format!(
            "the file has {} bytes; at most {MAX_SOURCE_BYTES} are read",
            text.len()
        );
        findings.add(Diagnostic::new(Code::SourceTooLong, base, message));
        return File {
            header: None,
            imports: Vec::new(),
            items: Vec::new(),
        };
    }
    let mut tokens = tokens(text, base, findings);
    tokens.retain(|token| token.kind != TokenKind::Comment);
    Parser {
        text,
        base: 0,
        tokens,
        at: 0,
        depth: 0,
        findings,
    }
    .file()
}

/// Whether a text has its closing quote.
fn is_closed(text: &str) -> bool {
    let inner = text.strip_prefix('"').and_then(|inner| inner.strip_suffix('"'));
    inner.is_some_and(|inner| inner.bytes().rev().take_while(|byte| *byte == b'\\').count() % 2 == 0)
}

/// What a source text says, nothing looked up, and what in it could not be read.
pub fn parse(text: &str) -> (File, Vec<Diagnostic>) {
    let mut findings = Findings::default();
    let file = read(text, 0, &mut findings);
    (file, findings.into_sorted())
}

pub(crate) struct Parser<'a> {
    text: &'a str,
    /// Where `text` begins in its file.
    base: u32,
    tokens: Vec<Token>,
    at: usize,
    depth: usize,
    findings: &'a mut Findings,
}

impl<'a> Parser<'a> {
    fn peek(&self) -> Token {
        self.tokens[self.at.min(self.tokens.len() - 1)]
    }

    fn peek_after(&self) -> Token {
        self.tokens[(self.at + 1).min(self.tokens.len() - 1)]
    }

    fn next(&mut self) -> Token {
        let token = self.peek();
        self.at += 1;
        token
    }

    /// The span of the token before this one.
    fn before(&self) -> Span {
        self.tokens[self.at.min(self.tokens.len()).saturating_sub(1)].span
    }

    fn since(&self, start: Span) -> Span {
        start.to(self.before())
    }

    fn text_of(&self, span: Span) -> &'a str {
        let base = self.base as usize;
        &self.text[span.start as usize - base..span.end as usize - base]
    }

    fn is_symbol(&self, symbol: Symbol) -> bool {
        self.peek().kind == TokenKind::Symbol(symbol)
    }

    fn is_keyword(&self, keyword: Keyword) -> bool {
        self.peek().kind == TokenKind::Keyword(keyword)
    }

    /// Whether the next token is the name `word`, which is a keyword only here.
    fn is_word(&self, word: &str) -> bool {
        self.peek().kind == TokenKind::Name && self.text_of(self.peek().span) == word
    }

    fn eat_symbol(&mut self, symbol: Symbol) -> bool {
        let found = self.is_symbol(symbol);
        self.at += usize::from(found);
        found
    }

    fn eat_keyword(&mut self, keyword: Keyword) -> bool {
        let found = self.is_keyword(keyword);
        self.at += usize::from(found);
        found
    }

    fn eat_word(&mut self, word: &str) -> bool {
        let found = self.is_word(word);
        self.at += usize::from(found);
        found
    }

    fn report(&mut self, diagnostic: Diagnostic) -> Failed {
        self.findings.add(diagnostic);
        Failed
    }

    /// What the next token is, in words.
    fn found(&self) -> String {
        let token = self.peek();
        match token.kind {
            TokenKind::End => "the end of the file".to_owned(),
            TokenKind::Keyword(keyword) => format!("the keyword `{}`", keyword.text()),
            TokenKind::Text => "a text".to_owned(),
            _ => format!("`{}`", self.text_of(token.span)),
        }
    }

    fn unexpected(&mut self, wanted: &str) -> Failed {
        let message = format!("expected {wanted}, found {}", self.found());
        let diagnostic = Diagnostic::new(Code::UnexpectedToken, self.peek().span, message);
        self.report(diagnostic)
    }

    fn symbol(&mut self, symbol: Symbol) -> Parsed<Span> {
        if self.is_symbol(symbol) {
            return Ok(self.next().span);
        }
        // A text without its end took the rest of the line with it.
        let before = self.tokens[..self.at.min(self.tokens.len())].last();
        if before.is_some_and(|token| token.kind == TokenKind::Text && !is_closed(self.text_of(token.span))) {
            return Err(Failed);
        }
        if symbol == Symbol::Semicolon {
            // What is missing belongs behind the last token, not before the next, which may be lines away.
            let end = self.before().end;
            let place = Span {
                start: end.saturating_sub(1).max(self.before().start),
                end,
                ..self.before()
            };
            let message = format!("expected `;` after this, found {}", self.found());
            return Err(self.report(Diagnostic::new(Code::UnexpectedToken, place, message)));
        }
        Err(self.unexpected(&format!("`{}`", symbol.text())))
    }

    fn keyword(&mut self, keyword: Keyword) -> Parsed<Span> {
        if self.is_keyword(keyword) {
            return Ok(self.next().span);
        }
        Err(self.unexpected(&format!("`{}`", keyword.text())))
    }

    fn word(&mut self, word: &str) -> Parsed<Span> {
        if self.is_word(word) {
            return Ok(self.next().span);
        }
        Err(self.unexpected(&format!("`{word}`")))
    }

    fn name(&mut self, what: &str) -> Parsed<Name> {
        let token = self.peek();
        if let TokenKind::Keyword(keyword) = token.kind {
            let message = format!("expected {what}, found the keyword `{}`", keyword.text());
            let diagnostic = Diagnostic::new(Code::UnexpectedToken, token.span, message);
            let help = format!("keywords are never names; write `{}_`, say", keyword.text());
            return Err(self.report(diagnostic.help(help)));
        }
        if token.kind != TokenKind::Name {
            return Err(self.unexpected(what));
        }
        self.next();
        let text = self.text_of(token.span);
        if text.len() > MAX_NAME_BYTES {
            let message = format!(
                "this name has {} letters; at most {MAX_NAME_BYTES} are allowed",
                text.len()
            );
            return Err(self.report(Diagnostic::new(Code::TooMany, token.span, message)));
        }
        Ok(Name {
            text: text.to_owned(),
            span: token.span,
        })
    }

    /// A whole number that is part of a declaration.
    fn small_number(&mut self, what: &str) -> Parsed<u32> {
        let token = self.peek();
        if token.kind != TokenKind::Number {
            return Err(self.unexpected(what));
        }
        self.next();
        self.text_of(token.span).parse().map_err(|_| {
            let message = format!("{what} is a whole number up to {}", u32::MAX);
            self.report(Diagnostic::new(Code::BadNumber, token.span, message))
        })
    }

    /// Runs `read` one level deeper, or reports that this is too deep.
    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Parsed<T>) -> Parsed<T> {
        if self.depth >= MAX_NESTING {
            let message = format!("this is nested more than {MAX_NESTING} levels deep");
            let diagnostic = Diagnostic::new(Code::TooDeep, self.peek().span, message);
            return Err(
                self.report(diagnostic.help("give a part of it a name with `let`, or a function of its own"))
            );
        }
        // Chains of operators go deeper by themselves, and leave that as it is when they fail.
        let depth = self.depth;
        self.depth += 1;
        let result = read(self);
        self.depth = depth;
        result
    }

    /// Items between `open` and `close`, separated by commas, of which a last one is allowed.
    fn list<T>(
        &mut self,
        open: Symbol,
        close: Symbol,
        mut item: impl FnMut(&mut Self) -> Parsed<T>,
    ) -> Parsed<Vec<T>> {
        self.symbol(open)?;
        let mut items = Vec::new();
        while !self.eat_symbol(close) {
            items.push(item(self)?);
            if !self.eat_symbol(Symbol::Comma) && !self.is_symbol(close) {
                return Err(self.unexpected(&format!("`,` or `{}`", close.text())));
            }
        }
        Ok(items)
    }

    /// Goes on behind the end of the statement in which something failed, or before the brace that closes
    /// its block.
    fn skip_statement(&mut self, from: usize) {
        self.at = from.max(self.at);
        let mut depth = 0usize;
        loop {
            match self.peek().kind {
                TokenKind::End => return,
                TokenKind::Symbol(Symbol::OpenBrace) => depth += 1,
                TokenKind::Symbol(Symbol::CloseBrace) if depth == 0 => return,
                TokenKind::Symbol(Symbol::CloseBrace) => {
                    depth -= 1;
                    if depth == 0 {
                        self.at += 1;
                        self.eat_symbol(Symbol::Semicolon);
                        return;
                    }
                }
                TokenKind::Symbol(Symbol::Semicolon) if depth == 0 => {
                    self.at += 1;
                    return;
                }
                TokenKind::Keyword(keyword) if declarations::begins_item(keyword) => return,
                _ => {}
            }
            self.at += 1;
        }
    }

    /// Goes on with the next token that begins a declaration.
    fn skip_item(&mut self) {
        loop {
            match self.peek().kind {
                TokenKind::End => return,
                TokenKind::Keyword(keyword) if declarations::begins_item(keyword) => return,
                _ => self.at += 1,
            }
        }
    }
}
