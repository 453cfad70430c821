//! Blocks and statements.
use super::{Failed, Parsed, Parser};
use crate::{
    ast::{Block, Expr, ExprKind, Statement},
    lexer::{Keyword, Symbol, TokenKind},
};

/// What a block continues with.
enum Part {
    Statement(Statement),
    Tail(Expr),
}

impl Parser<'_> {
    pub(super) fn block(&mut self) -> Parsed<Block> {
        self.nested(|parser| {
            let start = parser.symbol(Symbol::OpenBrace)?;
            let mut statements = Vec::new();
            let mut tail = None;
            while !parser.is_symbol(Symbol::CloseBrace) && tail.is_none() {
                let ends = matches!(parser.peek().kind, TokenKind::Keyword(word) if super::declarations::begins_item(word));
                if parser.peek().kind == TokenKind::End || ends {
                    return Err(parser.unexpected("`}`"));
                }
                let from = parser.at;
                match parser.part() {
                    Ok(Part::Statement(statement)) => statements.push(statement),
                    Ok(Part::Tail(expr)) => tail = Some(Box::new(expr)),
                    Err(Failed) => {
                        parser.skip_statement(from);
                        statements.push(Statement::Error);
                    }
                }
            }
            parser.symbol(Symbol::CloseBrace)?;
            Ok(Block {
                statements,
                tail,
                span: parser.since(start),
            })
        })
    }

    fn part(&mut self) -> Parsed<Part> {
        let token = self.peek();
        match token.kind {
            TokenKind::Keyword(Keyword::Let | Keyword::Var) => self.binding().map(Part::Statement),
            TokenKind::Keyword(Keyword::For) => self.for_loop().map(Part::Statement),
            TokenKind::Name if self.peek_after().kind == TokenKind::Symbol(Symbol::Equal) => {
                let name = self.name("a name")?;
                self.symbol(Symbol::Equal)?;
                let value = self.expr()?;
                self.symbol(Symbol::Semicolon)?;
                Ok(Part::Statement(Statement::Assign { name, value }))
            }
            TokenKind::Keyword(Keyword::If | Keyword::Match) => self.block_like(),
            _ => {
                let expr = self.expr()?;
                self.end_of_expr(expr)
            }
        }
    }

    fn binding(&mut self) -> Parsed<Statement> {
        let mutable = self.next().kind == TokenKind::Keyword(Keyword::Var);
        let name = self.name("a name")?;
        let ty = if self.eat_symbol(Symbol::Colon) {
            Some(self.type_expr()?)
        } else {
            None
        };
        self.symbol(Symbol::Equal)?;
        let value = self.expr()?;
        self.symbol(Symbol::Semicolon)?;
        Ok(Statement::Let {
            name,
            mutable,
            ty,
            value,
        })
    }

    fn for_loop(&mut self) -> Parsed<Statement> {
        self.next();
        let first = self.name("a name for the element")?;
        let second = if self.eat_symbol(Symbol::Comma) {
            Some(self.name("a name for the value")?)
        } else {
            None
        };
        self.keyword(Keyword::In)?;
        let over = self.expr()?;
        let body = self.block()?;
        Ok(Statement::For {
            first,
            second,
            over,
            body,
        })
    }

    /// `if` and `match` need no semicolon as statements, and are the value of the block at its end.
    fn block_like(&mut self) -> Parsed<Part> {
        let expr = self.primary()?;
        if self.is_symbol(Symbol::CloseBrace) {
            return Ok(Part::Tail(expr));
        }
        // A sign would be taken for the continuation, and it may begin the next value.
        let continues = self.is_symbol(Symbol::Dot);
        if continues {
            let expr = self.continue_expr(expr)?;
            return self.end_of_expr(expr);
        }
        self.eat_symbol(Symbol::Semicolon);
        Ok(Part::Statement(Statement::Expr(expr)))
    }

    fn end_of_expr(&mut self, expr: Expr) -> Parsed<Part> {
        if self.is_symbol(Symbol::CloseBrace) {
            return Ok(Part::Tail(expr));
        }
        let is_block = matches!(expr.kind, ExprKind::Block(_));
        if !is_block || self.is_symbol(Symbol::Semicolon) {
            self.symbol(Symbol::Semicolon)?;
        }
        Ok(Part::Statement(Statement::Expr(expr)))
    }
}
