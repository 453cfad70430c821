//! Headers, imports and declarations.
use super::{Failed, Parsed, Parser};
use crate::{
    ast::{
        ConstItem, EnumItem, ExprKind, File, FnItem, Header, Import, Item, Name, PolicyItem, ProcessItem,
        ProcessValue, RecordItem, RoleItem, TestEnd, TestItem, TextPart, TypeExpr, Typed, UnitItem,
    },
    diagnostic::{Code, Diagnostic},
    lexer::{Keyword, Symbol, TokenKind},
    limits::LANGUAGE_VERSION,
};

/// Whether a declaration begins with this.
pub(super) fn begins_item(keyword: Keyword) -> bool {
    matches!(
        keyword,
        Keyword::Const
            | Keyword::Enum
            | Keyword::Fn
            | Keyword::Import
            | Keyword::Policy
            | Keyword::Process
            | Keyword::Record
            | Keyword::Role
            | Keyword::Test
            | Keyword::Unit
    )
}

impl Parser<'_> {
    pub(super) fn file(mut self) -> File {
        let header = match self.header() {
            Ok(header) => Some(header),
            Err(Failed) => {
                self.skip_item();
                None
            }
        };
        let mut file = File {
            header,
            imports: Vec::new(),
            items: Vec::new(),
        };
        while self.peek().kind != TokenKind::End {
            let start = self.at;
            if self.item(&mut file).is_err() {
                self.at = self.at.max(start + 1);
                self.skip_item();
            }
        }
        file
    }

    fn header(&mut self) -> Parsed<Header> {
        let start = self.peek().span;
        let is_module = self.eat_keyword(Keyword::Module);
        if !is_module && !self.eat_keyword(Keyword::Contract) {
            let message = format!("a file begins with its header, found {}", self.found());
            let diagnostic = Diagnostic::new(Code::BadHeader, start, message);
            let help = "write `contract \"name\" version 1 language 1 scope federation;`";
            return Err(self.report(diagnostic.help(help)));
        }
        let name = self.plain_text("the name, in quotes")?;
        self.word("version")?;
        let version = self.small_number("the version")?;
        self.word("language")?;
        let language_span = self.peek().span;
        let language = self.small_number("the version of the language")?;
        if language != LANGUAGE_VERSION {
            let message = format!("this is written in version {language} of the language");
            let diagnostic = Diagnostic::new(Code::WrongLanguage, language_span, message);
            let help = format!("this compiler knows version {LANGUAGE_VERSION}");
            self.findings.add(diagnostic.help(help));
        }
        let scope = if is_module {
            None
        } else {
            self.word("scope")?;
            Some(self.name("`federation` or `cooperative`")?)
        };
        self.symbol(Symbol::Semicolon)?;
        Ok(Header {
            is_module,
            name,
            version,
            scope,
            span: self.since(start),
        })
    }

    /// A text without values in it.
    fn plain_text(&mut self, what: &str) -> Parsed<Name> {
        if self.peek().kind != TokenKind::Text {
            return Err(self.unexpected(what));
        }
        let span = self.peek().span;
        let ExprKind::Text(parts) = self.text()?.kind else {
            return Err(Failed);
        };
        let mut text = String::new();
        for part in parts {
            let TextPart::Literal(part) = part else {
                let message = format!("{what} has no values in it");
                return Err(self.report(
                    Diagnostic::new(Code::NotConstant, span, message).help("write `\\{` for a brace"),
                ));
            };
            text.push_str(&part);
        }
        Ok(Name { text, span })
    }

    fn item(&mut self, file: &mut File) -> Parsed<()> {
        let token = self.next();
        let TokenKind::Keyword(keyword) = token.kind else {
            self.at -= 1;
            return Err(self.unexpected(
                "a declaration: const, enum, fn, import, policy, process, record, role, test or unit",
            ));
        };
        let item = match keyword {
            Keyword::Import => {
                let import = self.import()?;
                file.imports.push(import);
                return Ok(());
            }
            Keyword::Unit => Item::Unit(self.unit()?),
            Keyword::Const => Item::Const(self.constant()?),
            Keyword::Record => {
                let name = self.name("the name of the record")?;
                let fields = self.list(Symbol::OpenBrace, Symbol::CloseBrace, Self::typed)?;
                Item::Record(RecordItem { name, fields })
            }
            Keyword::Enum => {
                let name = self.name("the name of the enum")?;
                let variants = self.list(Symbol::OpenBrace, Symbol::CloseBrace, Self::variant)?;
                Item::Enum(EnumItem { name, variants })
            }
            Keyword::Fn => Item::Fn(self.function()?),
            Keyword::Policy => {
                let slot = self.name("the name of a slot")?;
                let param = self.single_param()?;
                let body = self.block()?;
                Item::Policy(PolicyItem { slot, param, body })
            }
            Keyword::Role => Item::Role(self.role()?),
            Keyword::Process => Item::Process(self.process()?),
            Keyword::Test => Item::Test(self.test()?),
            _ => {
                self.at -= 1;
                return Err(self.unexpected(
                    "a declaration: const, enum, fn, import, policy, process, record, role, test or unit",
                ));
            }
        };
        file.items.push(item);
        Ok(())
    }

    fn import(&mut self) -> Parsed<Import> {
        let cid = self.plain_text("the content id of a module, in quotes")?;
        self.keyword(Keyword::As)?;
        let alias = self.name("a name for the module")?;
        self.symbol(Symbol::Semicolon)?;
        Ok(Import { cid, alias })
    }

    fn unit(&mut self) -> Parsed<UnitItem> {
        let name = self.name("the name of the unit")?;
        let decimals = if self.eat_word("decimals") {
            self.small_number("the number of decimals")?
        } else {
            0
        };
        self.symbol(Symbol::Semicolon)?;
        Ok(UnitItem { name, decimals })
    }

    fn constant(&mut self) -> Parsed<ConstItem> {
        let Typed { name, ty } = self.typed()?;
        self.symbol(Symbol::Equal)?;
        let value = self.expr()?;
        self.symbol(Symbol::Semicolon)?;
        Ok(ConstItem { name, ty, value })
    }

    fn typed(&mut self) -> Parsed<Typed> {
        let name = self.name("a name")?;
        self.symbol(Symbol::Colon)?;
        let ty = self.type_expr()?;
        Ok(Typed { name, ty })
    }

    fn variant(&mut self) -> Parsed<(Name, Vec<TypeExpr>)> {
        let name = self.name("the name of a variant")?;
        let values = if self.is_symbol(Symbol::OpenParen) {
            self.list(Symbol::OpenParen, Symbol::CloseParen, Self::type_expr)?
        } else {
            Vec::new()
        };
        Ok((name, values))
    }

    /// `(name)`
    fn single_param(&mut self) -> Parsed<Name> {
        self.symbol(Symbol::OpenParen)?;
        let name = self.name("a name for the input")?;
        if self.is_symbol(Symbol::Colon) {
            let message = "the type of this input is the interface's and is not written";
            let diagnostic = Diagnostic::new(Code::UnexpectedToken, self.peek().span, message);
            return Err(self.report(diagnostic.help("write the name alone")));
        }
        self.symbol(Symbol::CloseParen)?;
        Ok(name)
    }

    fn function(&mut self) -> Parsed<FnItem> {
        let name = self.name("the name of the function")?;
        let params = self.list(Symbol::OpenParen, Symbol::CloseParen, Self::typed)?;
        self.symbol(Symbol::Arrow)?;
        let result = self.type_expr()?;
        let body = self.block()?;
        Ok(FnItem {
            name,
            params,
            result,
            body,
        })
    }

    fn role(&mut self) -> Parsed<RoleItem> {
        let name = self.name("the name of the role")?;
        let mut role = RoleItem {
            name,
            may: Vec::new(),
            requires: None,
        };
        self.symbol(Symbol::OpenBrace)?;
        while !self.eat_symbol(Symbol::CloseBrace) {
            if self.eat_word("may") {
                role.may.extend(self.words()?);
                self.symbol(Symbol::Semicolon)?;
            } else if self.is_word("requires") {
                let span = self.next().span;
                if role.requires.is_some() {
                    let twice =
                        Diagnostic::new(Code::DuplicateName, span, "the role says twice what it requires");
                    self.findings.add(twice.help("put both into one block"));
                }
                role.requires = Some((self.single_param()?, self.block()?));
            } else {
                return Err(self.unexpected("`may`, `requires` or `}`"));
            }
        }
        Ok(role)
    }

    /// `word, word`
    fn words(&mut self) -> Parsed<Vec<Name>> {
        let mut words = vec![self.name("a word")?];
        while self.eat_symbol(Symbol::Comma) {
            words.push(self.name("a word")?);
        }
        Ok(words)
    }

    fn process(&mut self) -> Parsed<ProcessItem> {
        let name = self.name("the name of the process")?;
        let mut fields = Vec::new();
        self.symbol(Symbol::OpenBrace)?;
        while !self.eat_symbol(Symbol::CloseBrace) {
            let key = self.name("a property of the process, or `}`")?;
            self.symbol(Symbol::Colon)?;
            fields.push((key, self.process_value()?));
            self.symbol(Symbol::Semicolon)?;
        }
        Ok(ProcessItem { name, fields })
    }

    fn process_value(&mut self) -> Parsed<ProcessValue> {
        let start = self.peek().span;
        let next_is_word = self.peek_after().kind == TokenKind::Name;
        if next_is_word && self.eat_word("more") {
            self.word("than")?;
            let value = self.expr()?;
            return Ok(ProcessValue::MoreThan(value, self.since(start)));
        }
        if next_is_word && self.eat_word("at") {
            self.word("least")?;
            let value = self.expr()?;
            return Ok(ProcessValue::AtLeast(value, self.since(start)));
        }
        if self.peek().kind == TokenKind::Name && self.peek_after().kind == TokenKind::Symbol(Symbol::Comma) {
            return Ok(ProcessValue::Words(self.words()?));
        }
        Ok(ProcessValue::Value(self.expr()?))
    }

    fn test(&mut self) -> Parsed<TestItem> {
        let name = self.plain_text("what the test shows, in quotes")?;
        let end = if self.eat_word("refuses") {
            TestEnd::Refuses(self.plain_text("a part of the reason, in quotes")?)
        } else if self.eat_word("faults") {
            TestEnd::Faults(self.name("the name of a fault, such as `overflow`")?)
        } else {
            TestEnd::Passes
        };
        let body = self.block()?;
        Ok(TestItem { name, end, body })
    }

    pub(super) fn type_expr(&mut self) -> Parsed<TypeExpr> {
        self.nested(|parser| {
            let mut name = parser.name("a type")?;
            let start = name.span;
            let mut module = None;
            if parser.eat_symbol(Symbol::Dot) {
                module = Some(name);
                name = parser.name("a type of the module")?;
            }
            let args = if parser.is_symbol(Symbol::Less) {
                parser.list(Symbol::Less, Symbol::Greater, Self::type_expr)?
            } else {
                Vec::new()
            };
            Ok(TypeExpr {
                module,
                name,
                args,
                span: parser.since(start),
            })
        })
    }
}
