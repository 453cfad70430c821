//! Patterns of `match`.
use super::{Parsed, Parser};
use crate::{
    ast::{Name, Pattern, PatternKind},
    lexer::{Keyword, Symbol, TokenKind},
};

impl Parser<'_> {
    pub(super) fn pattern(&mut self) -> Parsed<Pattern> {
        self.nested(|parser| {
            let start = parser.peek().span;
            let kind = parser.pattern_kind()?;
            Ok(Pattern {
                kind,
                span: parser.since(start),
            })
        })
    }

    fn pattern_kind(&mut self) -> Parsed<PatternKind> {
        match self.peek().kind {
            TokenKind::Keyword(Keyword::None) => {
                self.next();
                Ok(PatternKind::None)
            }
            TokenKind::Keyword(Keyword::Some) => {
                self.next();
                self.symbol(Symbol::OpenParen)?;
                let inner = self.pattern()?;
                self.symbol(Symbol::CloseParen)?;
                Ok(PatternKind::Some(Box::new(inner)))
            }
            TokenKind::Number
            | TokenKind::Text
            | TokenKind::Symbol(Symbol::Minus)
            | TokenKind::Keyword(Keyword::True | Keyword::False) => {
                Ok(PatternKind::Literal(self.literal_pattern()?))
            }
            TokenKind::Name => self.named_pattern(),
            _ => Err(self.unexpected(
                "a pattern: a literal, a name, `_`, `None`, `Some(…)`, `Enum.Variant(…)` or `Record(…)`",
            )),
        }
    }

    fn named_pattern(&mut self) -> Parsed<PatternKind> {
        let first = self.name("a pattern")?;
        if self.eat_symbol(Symbol::Dot) {
            let second = self.name("a variant")?;
            if self.eat_symbol(Symbol::Dot) {
                let third = self.name("a variant")?;
                return self.variant_pattern(Some(first), second, third);
            }
            if self.is_symbol(Symbol::OpenParen) && self.names_fields() {
                return self.record_pattern(Some(first), second);
            }
            return self.variant_pattern(None, first, second);
        }
        if self.is_symbol(Symbol::OpenParen) {
            return self.record_pattern(None, first);
        }
        Ok(if first.text == "_" {
            PatternKind::Any
        } else {
            PatternKind::Bind(first)
        })
    }

    /// Whether what stands in the parentheses that follow is `name:`.
    fn names_fields(&self) -> bool {
        let kind = |ahead: usize| self.tokens.get(self.at + ahead).map(|token| token.kind);
        kind(1) == Some(TokenKind::Name) && kind(2) == Some(TokenKind::Symbol(Symbol::Colon))
    }

    fn variant_pattern(&mut self, module: Option<Name>, of: Name, variant: Name) -> Parsed<PatternKind> {
        let values = if self.is_symbol(Symbol::OpenParen) {
            self.list(Symbol::OpenParen, Symbol::CloseParen, Self::pattern)?
        } else {
            Vec::new()
        };
        Ok(PatternKind::Variant(module, of, variant, values))
    }

    fn record_pattern(&mut self, module: Option<Name>, record: Name) -> Parsed<PatternKind> {
        let fields = self.list(Symbol::OpenParen, Symbol::CloseParen, |parser| {
            let field = parser.name("a field of the record")?;
            parser.symbol(Symbol::Colon)?;
            Ok((field, parser.pattern()?))
        })?;
        Ok(PatternKind::Record(module, record, fields))
    }
}
