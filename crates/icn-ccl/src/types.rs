//! The types of values, and the table of records, enums and units that they refer to.
use crate::source::Span;
use core::fmt;

/// Number of a unit in [`Types`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct UnitId(pub(crate) u32);

/// Number of a record in [`Types`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordId(pub(crate) u32);

/// Number of an enum in [`Types`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct EnumId(pub(crate) u32);

/// What a value can be.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Type {
    /// Nothing to tell: the value of what is done for its effect.
    Unit,
    /// True or false.
    Bool,
    /// A whole number of 64 bits.
    Int,
    /// A fraction of whole numbers.
    Ratio,
    /// Text.
    Text,
    /// An identity.
    Did,
    /// A content id.
    Cid,
    /// A moment, in milliseconds since 1970.
    Time,
    /// A span of time, in milliseconds, never negative.
    Duration,
    /// Mana, in thousandths, never negative.
    Mana,
    /// An amount in minor units of a unit.
    Amount(UnitId),
    /// A value or none.
    Option(Box<Type>),
    /// Values in order.
    List(Box<Type>),
    /// Values by key, in the order of the keys.
    Map(Box<Type>, Box<Type>),
    /// Values by field.
    Record(RecordId),
    /// One of several variants, with its values.
    Enum(EnumId),
    /// No value at all: what does not come back.
    Never,
    /// Something that has been reported; goes with everything, so that nothing is reported twice.
    Error,
}

impl Type {
    pub(crate) fn option(of: Self) -> Self {
        Self::Option(Box::new(of))
    }

    pub(crate) fn list(of: Self) -> Self {
        Self::List(Box::new(of))
    }

    pub(crate) fn map(key: Self, value: Self) -> Self {
        Self::Map(Box::new(key), Box::new(value))
    }

    /// Numbers of a unit that can be added, and taken times a number.
    pub(crate) const fn is_quantity(&self) -> bool {
        matches!(self, Self::Duration | Self::Mana | Self::Amount(_))
    }

    /// Numbers that are never negative.
    pub(crate) const fn is_natural(&self) -> bool {
        matches!(self, Self::Time | Self::Duration | Self::Mana)
    }

    /// What `<` compares.
    pub(crate) const fn is_ordered(&self) -> bool {
        matches!(self, Self::Int | Self::Ratio | Self::Text | Self::Time) || self.is_quantity()
    }

    /// Held as bytes of text.
    pub(crate) const fn is_textual(&self) -> bool {
        matches!(self, Self::Text | Self::Did | Self::Cid)
    }

    pub(crate) const fn is_poison(&self) -> bool {
        matches!(self, Self::Error | Self::Never)
    }
}

/// A unit of amounts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnitDef {
    /// Its name.
    pub name: String,
    /// How many decimals its minor units are.
    pub decimals: u32,
}

/// A record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordDef {
    /// Its name.
    pub name: String,
    /// Its fields in order.
    pub fields: Vec<(String, Type)>,
    /// Where it is declared; the interface's records are declared nowhere.
    pub span: Option<Span>,
}

impl RecordDef {
    /// The place of a field.
    pub fn field(&self, name: &str) -> Option<usize> {
        self.fields.iter().position(|(field, _)| field == name)
    }
}

/// An enum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EnumDef {
    /// Its name.
    pub name: String,
    /// Its variants in order, each with the types of its values.
    pub variants: Vec<(String, Vec<Type>)>,
    /// Where it is declared; the interface's enums are declared nowhere.
    pub span: Option<Span>,
}

impl EnumDef {
    /// The place of a variant.
    pub fn variant(&self, name: &str) -> Option<usize> {
        self.variants.iter().position(|(variant, _)| variant == name)
    }

    /// Whether no variant has values: such an enum is a number, and can be a key.
    pub fn is_plain(&self) -> bool {
        self.variants.iter().all(|(_, values)| values.is_empty())
    }
}

/// The units, records and enums of a program.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Types {
    pub(crate) units: Vec<UnitDef>,
    pub(crate) records: Vec<RecordDef>,
    pub(crate) enums: Vec<EnumDef>,
}

impl Types {
    /// The unit with this number.
    pub fn unit(&self, id: UnitId) -> &UnitDef {
        &self.units[id.0 as usize]
    }

    /// The record with this number.
    pub fn record(&self, id: RecordId) -> &RecordDef {
        &self.records[id.0 as usize]
    }

    /// The enum with this number.
    pub fn enumeration(&self, id: EnumId) -> &EnumDef {
        &self.enums[id.0 as usize]
    }

    /// The type as it is written in source text.
    pub fn show<'a>(&'a self, ty: &'a Type) -> impl fmt::Display + 'a {
        Shown { types: self, ty }
    }

    /// Whether values of this type can be keys of maps.
    pub fn is_key(&self, ty: &Type) -> bool {
        match ty {
            Type::Bool | Type::Int | Type::Text | Type::Did | Type::Cid | Type::Time => true,
            Type::Enum(id) => self.enumeration(*id).is_plain(),
            _ => ty.is_quantity() || ty.is_poison(),
        }
    }

    /// Whether values of this type can stand in a text.
    pub fn is_showable(&self, ty: &Type) -> bool {
        match ty {
            Type::Bool | Type::Int | Type::Ratio | Type::Text | Type::Did | Type::Cid | Type::Time => true,
            Type::Enum(id) => self.enumeration(*id).is_plain(),
            _ => ty.is_quantity() || ty.is_poison(),
        }
    }

    /// Whether values of this type are one number, as opposed to something in memory.
    pub(crate) fn is_scalar(&self, ty: &Type) -> bool {
        match ty {
            Type::Enum(id) => self.enumeration(*id).is_plain(),
            _ => matches!(ty, Type::Unit | Type::Bool | Type::Int | Type::Time) || ty.is_quantity(),
        }
    }
}

struct Shown<'a> {
    types: &'a Types,
    ty: &'a Type,
}

impl fmt::Display for Shown<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let types = self.types;
        match self.ty {
            Type::Unit => f.write_str("nothing"),
            Type::Bool => f.write_str("Bool"),
            Type::Int => f.write_str("Int"),
            Type::Ratio => f.write_str("Ratio"),
            Type::Text => f.write_str("Text"),
            Type::Did => f.write_str("Did"),
            Type::Cid => f.write_str("Cid"),
            Type::Time => f.write_str("Time"),
            Type::Duration => f.write_str("Duration"),
            Type::Mana => f.write_str("Mana"),
            Type::Amount(unit) => write!(f, "Amount<{}>", types.unit(*unit).name),
            Type::Option(of) => write!(f, "Option<{}>", types.show(of)),
            Type::List(of) => write!(f, "List<{}>", types.show(of)),
            Type::Map(key, value) => write!(f, "Map<{}, {}>", types.show(key), types.show(value)),
            Type::Record(id) => f.write_str(&types.record(*id).name),
            Type::Enum(id) => f.write_str(&types.enumeration(*id).name),
            Type::Never => f.write_str("no value"),
            Type::Error => f.write_str("?"),
        }
    }
}
