//! Expressions, by precedence: `or`, `and`, `not`, comparisons, sums, products, `-`, and what is hung onto
//! a value.
use super::{Parsed, Parser};
use crate::{
    ast::{Argument, Arm, BinaryOp, Expr, ExprKind, TextPart, UnaryOp},
    diagnostic::{Code, Diagnostic},
    lexer::{Keyword, Symbol, TokenKind, tokens},
    limits::MAX_NESTING,
    source::Span,
};

/// How tightly `not` binds: less than comparisons, more than `and`.
const NOT: u8 = 3;

/// The operator that a token is, and how tightly it binds.
fn binary(kind: TokenKind) -> Option<(BinaryOp, u8)> {
    Some(match kind {
        TokenKind::Keyword(Keyword::Or) => (BinaryOp::Or, 1),
        TokenKind::Keyword(Keyword::And) => (BinaryOp::And, 2),
        TokenKind::Symbol(Symbol::EqualEqual) => (BinaryOp::Equal, 4),
        TokenKind::Symbol(Symbol::NotEqual) => (BinaryOp::NotEqual, 4),
        TokenKind::Symbol(Symbol::Less) => (BinaryOp::Less, 4),
        TokenKind::Symbol(Symbol::LessEqual) => (BinaryOp::LessEqual, 4),
        TokenKind::Symbol(Symbol::Greater) => (BinaryOp::Greater, 4),
        TokenKind::Symbol(Symbol::GreaterEqual) => (BinaryOp::GreaterEqual, 4),
        TokenKind::Symbol(Symbol::Plus) => (BinaryOp::Add, 5),
        TokenKind::Symbol(Symbol::Minus) => (BinaryOp::Subtract, 5),
        TokenKind::Symbol(Symbol::Star) => (BinaryOp::Multiply, 6),
        TokenKind::Symbol(Symbol::Slash) => (BinaryOp::Divide, 6),
        _ => return None,
    })
}

impl Parser<'_> {
    pub(super) fn expr(&mut self) -> Parsed<Expr> {
        self.nested(|parser| parser.climb(0))
    }

    /// Goes on with an expression whose first part is `first`.
    pub(super) fn continue_expr(&mut self, first: Expr) -> Parsed<Expr> {
        self.nested(|parser| {
            let first = parser.postfix(first)?;
            parser.operators(first, 0)
        })
    }

    fn climb(&mut self, least: u8) -> Parsed<Expr> {
        let start = self.peek().span;
        let left = if self.eat_keyword(Keyword::Not) {
            let value = self.nested(|parser| parser.climb(NOT))?;
            self.unary(UnaryOp::Not, value, start)
        } else {
            self.prefix()?
        };
        self.operators(left, least)
    }

    fn operators(&mut self, mut left: Expr, least: u8) -> Parsed<Expr> {
        let depth = self.depth;
        let mut compared = false;
        while let Some((op, binds)) = binary(self.peek().kind) {
            if binds < least.max(1) {
                break;
            }
            if binds == 4 && compared {
                let message = "comparisons are not chained";
                let diagnostic = Diagnostic::new(Code::UnexpectedToken, self.peek().span, message);
                return Err(self.report(diagnostic.help("write `a < b and b < c`")));
            }
            compared |= binds == 4;
            self.next();
            // A chain is a tree as deep as it is long.
            self.depth += 1;
            let right = self.nested(|parser| parser.climb(binds + 1))?;
            let span = left.span.to(right.span);
            left = Expr {
                kind: ExprKind::Binary(op, Box::new(left), Box::new(right)),
                span,
            };
        }
        self.depth = depth;
        Ok(left)
    }

    fn unary(&self, op: UnaryOp, value: Expr, start: Span) -> Expr {
        Expr {
            kind: ExprKind::Unary(op, Box::new(value)),
            span: self.since(start),
        }
    }

    fn prefix(&mut self) -> Parsed<Expr> {
        let start = self.peek().span;
        if !self.eat_symbol(Symbol::Minus) {
            let first = self.primary()?;
            return self.postfix(first);
        }
        if self.peek().kind == TokenKind::Number {
            let first = self.number(Some(start))?;
            return self.postfix(first);
        }
        let value = self.nested(Self::prefix)?;
        Ok(self.unary(UnaryOp::Negate, value, start))
    }

    /// Fields, methods, calls, indices and `with` behind a value.
    fn postfix(&mut self, mut base: Expr) -> Parsed<Expr> {
        let depth = self.depth;
        let start = base.span;
        loop {
            let kind = match self.peek().kind {
                TokenKind::Symbol(Symbol::Dot) => {
                    self.next();
                    let name = self.name("a field or method")?;
                    ExprKind::Field(Box::new(base), name)
                }
                TokenKind::Symbol(Symbol::OpenParen) => {
                    let arguments = self.arguments()?;
                    ExprKind::Call(Box::new(base), arguments)
                }
                TokenKind::Symbol(Symbol::OpenBracket) => {
                    self.next();
                    let index = self.expr()?;
                    self.symbol(Symbol::CloseBracket)?;
                    ExprKind::Index(Box::new(base), Box::new(index))
                }
                TokenKind::Keyword(Keyword::With) => {
                    self.next();
                    let fields = self.arguments()?;
                    ExprKind::With(Box::new(base), fields)
                }
                _ => {
                    self.depth = depth;
                    return Ok(base);
                }
            };
            base = Expr {
                kind,
                span: self.since(start),
            };
            self.depth += 1;
            if self.depth > MAX_NESTING {
                // Reports it.
                self.nested(|_| Ok(()))?;
            }
        }
    }

    fn arguments(&mut self) -> Parsed<Vec<Argument>> {
        self.list(Symbol::OpenParen, Symbol::CloseParen, |parser| {
            let named = parser.peek().kind == TokenKind::Name
                && parser.peek_after().kind == TokenKind::Symbol(Symbol::Colon);
            let name = if named {
                let name = parser.name("a field")?;
                parser.next();
                Some(name)
            } else {
                None
            };
            let value = parser.expr()?;
            Ok(Argument { name, value })
        })
    }

    pub(super) fn primary(&mut self) -> Parsed<Expr> {
        let token = self.peek();
        let start = token.span;
        let kind = match token.kind {
            TokenKind::Number => return self.number(None),
            TokenKind::Text => return self.text(),
            TokenKind::Name => ExprKind::Name(self.name("a value")?),
            TokenKind::Symbol(Symbol::OpenParen) => {
                self.next();
                let inner = self.expr()?;
                self.symbol(Symbol::CloseParen)?;
                inner.kind
            }
            TokenKind::Symbol(Symbol::OpenBracket) => self.brackets()?,
            TokenKind::Symbol(Symbol::OpenBrace) => ExprKind::Block(self.block()?),
            TokenKind::Keyword(keyword) => self.keyword_expr(keyword)?,
            _ => return Err(self.unexpected("a value")),
        };
        Ok(Expr {
            kind,
            span: self.since(start),
        })
    }

    fn keyword_expr(&mut self, keyword: Keyword) -> Parsed<ExprKind> {
        match keyword {
            Keyword::If => return self.condition(),
            Keyword::True
            | Keyword::False
            | Keyword::None
            | Keyword::Some
            | Keyword::Map
            | Keyword::Match
            | Keyword::Return => {
                self.next();
            }
            _ => return Err(self.unexpected("a value")),
        }
        Ok(match keyword {
            Keyword::True => ExprKind::Bool(true),
            Keyword::False => ExprKind::Bool(false),
            Keyword::None => ExprKind::None,
            Keyword::Some => {
                self.symbol(Symbol::OpenParen)?;
                let inner = self.expr()?;
                self.symbol(Symbol::CloseParen)?;
                ExprKind::Some(Box::new(inner))
            }
            Keyword::Map => ExprKind::Map(self.list(Symbol::OpenBrace, Symbol::CloseBrace, |parser| {
                let key = parser.expr()?;
                parser.symbol(Symbol::Colon)?;
                Ok((key, parser.expr()?))
            })?),
            Keyword::Match => {
                let value = self.expr()?;
                ExprKind::Match(Box::new(value), self.arms()?)
            }
            _ => ExprKind::Return(Box::new(self.expr()?)),
        })
    }

    fn condition(&mut self) -> Parsed<ExprKind> {
        self.next();
        let condition = self.expr()?;
        let then = self.block()?;
        let mut otherwise = None;
        if self.eat_keyword(Keyword::Else) {
            let start = self.peek().span;
            let kind = if self.is_keyword(Keyword::If) {
                self.nested(Self::condition)?
            } else {
                ExprKind::Block(self.block()?)
            };
            otherwise = Some(Box::new(Expr {
                kind,
                span: self.since(start),
            }));
        }
        Ok(ExprKind::If(Box::new(condition), then, otherwise))
    }

    /// The arms of a `match`; the comma after a block may be left out.
    fn arms(&mut self) -> Parsed<Vec<Arm>> {
        self.symbol(Symbol::OpenBrace)?;
        let mut arms = Vec::new();
        while !self.eat_symbol(Symbol::CloseBrace) {
            let pattern = self.pattern()?;
            self.symbol(Symbol::FatArrow)?;
            let body = self.expr()?;
            let is_block = matches!(body.kind, ExprKind::Block(_));
            arms.push(Arm { pattern, body });
            if !self.eat_symbol(Symbol::Comma) && !self.is_symbol(Symbol::CloseBrace) && !is_block {
                return Err(self.unexpected("`,` or `}`"));
            }
        }
        Ok(arms)
    }

    /// A list, or what is collected from one.
    fn brackets(&mut self) -> Parsed<ExprKind> {
        self.next();
        if self.eat_symbol(Symbol::CloseBracket) {
            return Ok(ExprKind::List(Vec::new()));
        }
        let first = self.expr()?;
        if !self.eat_keyword(Keyword::For) {
            let mut items = vec![first];
            while self.eat_symbol(Symbol::Comma) && !self.is_symbol(Symbol::CloseBracket) {
                items.push(self.expr()?);
            }
            if !self.eat_symbol(Symbol::CloseBracket) {
                return Err(self.unexpected("`,` or `]`"));
            }
            return Ok(ExprKind::List(items));
        }
        let name = self.name("a name for the element")?;
        self.keyword(Keyword::In)?;
        let over = Box::new(self.expr()?);
        let condition = if self.eat_keyword(Keyword::If) {
            Some(Box::new(self.expr()?))
        } else {
            None
        };
        if !self.eat_symbol(Symbol::CloseBracket) {
            return Err(self.unexpected("`]`"));
        }
        Ok(ExprKind::Collect {
            value: Box::new(first),
            name,
            over,
            condition,
        })
    }

    /// A number, perhaps of a unit; `minus` is where its sign stands.
    fn number(&mut self, minus: Option<Span>) -> Parsed<Expr> {
        let token = self.next();
        let start = minus.unwrap_or(token.span);
        let text = self.text_of(token.span).replace('_', "");
        let (whole, decimals) = text.split_once('.').unwrap_or((&text, ""));
        let sign = if minus.is_some() { "-" } else { "" };
        let Ok(digits) = format!("{sign}{whole}{decimals}").parse::<i64>() else {
            let message = format!("{sign}{text} does not fit into 64 bits");
            return Err(self.report(Diagnostic::new(Code::BadNumber, token.span, message)));
        };
        let places =
            u32::try_from(decimals.len()).expect("a number that fits has few digits or this many bytes");
        // `3 at least`, `1 more` and the like are not written in expressions, so a name is a unit.
        if self.peek().kind == TokenKind::Name {
            let unit = self.name("a unit")?;
            return Ok(Expr {
                kind: ExprKind::Quantity(digits, places, unit),
                span: self.since(start),
            });
        }
        if places > 0 {
            let message = format!("{sign}{text} has decimals, and no unit");
            let diagnostic = Diagnostic::new(Code::BadNumber, token.span, message);
            let help = format!(
                "write a Ratio, such as {digits}/{}, or a unit behind it",
                10u128.saturating_pow(places)
            );
            return Err(self.report(diagnostic.help(help)));
        }
        Ok(Expr {
            kind: ExprKind::Int(digits),
            span: self.since(start),
        })
    }

    /// A literal as a pattern.
    pub(super) fn literal_pattern(&mut self) -> Parsed<Expr> {
        let start = self.peek().span;
        if self.eat_symbol(Symbol::Minus) {
            if self.peek().kind != TokenKind::Number {
                return Err(self.unexpected("a number"));
            }
            return self.number(Some(start));
        }
        self.primary()
    }

    /// A text with the values in it.
    pub(super) fn text(&mut self) -> Parsed<Expr> {
        let span = self.next().span;
        let raw = self.text_of(span);
        let inner = raw.strip_prefix('"').unwrap_or(raw);
        let inner = inner.strip_suffix('"').unwrap_or(inner);
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut at = 0;
        while let Some(c) = inner[at..].chars().next() {
            let rest = &inner[at + c.len_utf8()..];
            if c == '\\' {
                literal.push(self.escape(rest.chars().next(), span)?);
                at += 1 + rest.chars().next().map_or(0, char::len_utf8);
            } else if c == '{' {
                let Some(length) = rest.find('}') else {
                    let message = "this text has an opening brace and no closing one";
                    let diagnostic = Diagnostic::new(Code::BadEscape, span, message);
                    return Err(self.report(diagnostic.help("write `\\{` for the brace itself; a value that has quotes in it needs a name of its own")));
                };
                if !literal.is_empty() {
                    parts.push(TextPart::Literal(std::mem::take(&mut literal)));
                }
                let offset = u32::try_from(at + 2).expect("source files are bounded");
                parts.push(TextPart::Value(
                    self.inner_value(&rest[..length], span.start + offset)?,
                ));
                at += length + 2;
            } else {
                literal.push(c);
                at += c.len_utf8();
            }
        }
        if !literal.is_empty() {
            parts.push(TextPart::Literal(literal));
        }
        Ok(Expr {
            kind: ExprKind::Text(parts),
            span,
        })
    }

    fn escape(&mut self, escaped: Option<char>, span: Span) -> Parsed<char> {
        Ok(match escaped {
            Some('n') => '\n',
            Some('t') => '\t',
            Some(c @ ('"' | '\\' | '{' | '}')) => c,
            other => {
                let found = other.map(String::from).unwrap_or_default();
                let message = format!("there is no escape `\\{found}`");
                let diagnostic = Diagnostic::new(Code::BadEscape, span, message);
                let help = "the escapes are \\n, \\t, \\\", \\\\, \\{ and \\}; write a backslash as \\\\";
                return Err(self.report(diagnostic.help(help)));
            }
        })
    }

    /// The expression between the braces of a text; it begins at `start` in the file.
    fn inner_value(&mut self, value: &str, start: u32) -> Parsed<Expr> {
        self.nested(|parser| {
            let base = Span {
                source: parser.before().source,
                start,
                end: start,
            };
            let mut tokens = tokens(value, base, parser.findings);
            tokens.retain(|token| token.kind != TokenKind::Comment);
            let mut inner = Parser {
                text: value,
                base: start,
                tokens,
                at: 0,
                depth: parser.depth,
                findings: parser.findings,
            };
            let expr = inner.expr()?;
            if inner.peek().kind != TokenKind::End {
                return Err(inner.unexpected("`}`"));
            }
            Ok(expr)
        })
    }
}
