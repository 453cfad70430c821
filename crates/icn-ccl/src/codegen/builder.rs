//! The functions of a module, each made when something first calls it, and its constants.
//!
//! In memory a Ratio is its two numbers; a text its length and its bytes, up to a multiple of eight; an
//! Option 0 or the address of the value; a list its length and its elements; a map its length, then key and
//! value of each entry; a record its fields; a variant its place and its values. Enums without any values
//! are the place alone. Lengths and values are eight bytes each.
use super::{
    key::Key,
    low::{Code, Low},
};
use crate::{
    abi::STATIC_ADDRESS,
    ir::Program,
    types::{Type, Types},
    value::Value,
};
use std::collections::BTreeMap;

pub(super) struct Builder<'p> {
    pub(super) program: &'p Program,
    indices: BTreeMap<Key, u32>,
    waiting: Vec<(u32, Key)>,
    codes: BTreeMap<u32, Code>,
    statics: Vec<u8>,
    known: BTreeMap<(Type, Value), i64>,
    broken: Option<&'static str>,
}

impl<'p> Builder<'p> {
    pub(super) fn new(program: &'p Program) -> Self {
        Self {
            program,
            indices: BTreeMap::new(),
            waiting: Vec::new(),
            codes: BTreeMap::new(),
            statics: Vec::new(),
            known: BTreeMap::new(),
            broken: None,
        }
    }

    pub(super) fn types(&self) -> &'p Types {
        &self.program.types
    }

    /// Notes what cannot be translated although the checker let it through: nothing comes of the module.
    pub(super) fn give_up(&mut self, why: &'static str) {
        self.broken.get_or_insert(why);
    }

    /// Why nothing can come of the module.
    pub(super) fn broken(&self) -> Option<&'static str> {
        self.broken
    }

    /// The number of a function, which will be made if it is not there yet.
    pub(super) fn index(&mut self, key: impl Into<Key>) -> u32 {
        let key = key.into();
        if let Some(index) = self.indices.get(&key) {
            return *index;
        }
        let index = u32::try_from(self.indices.len()).expect("programs are bounded");
        self.indices.insert(key.clone(), index);
        self.waiting.push((index, key));
        index
    }

    /// A call of a function.
    pub(super) fn call<const N: usize>(&mut self, key: impl Into<Key>, args: [Low; N]) -> Low {
        Low::Call(self.index(key), args.into())
    }

    /// A function that is called and is not made yet, with its number.
    pub(super) fn next(&mut self) -> Option<(u32, Key)> {
        self.waiting.pop()
    }

    /// Takes in a function that was made.
    pub(super) fn put(&mut self, index: u32, code: Code) {
        self.codes.insert(index, code);
    }

    /// The functions in the order of their numbers.
    pub(super) fn codes(&self) -> Vec<&Code> {
        self.codes.values().collect()
    }

    /// What memory holds from [`STATIC_ADDRESS`] on.
    pub(super) fn statics(&self) -> &[u8] {
        &self.statics
    }

    /// What stands for a value that is known: itself, or where it is in memory.
    pub(super) fn constant(&mut self, ty: &Type, value: &Value) -> i64 {
        match value {
            Value::Unit | Value::Option(None) => return 0,
            Value::Bool(value) => return i64::from(*value),
            Value::Number(number) => return *number,
            Value::Variant(place, _) if self.types().is_scalar(ty) => return i64::from(*place),
            _ => {}
        }
        let key = (ty.clone(), value.clone());
        if let Some(address) = self.known.get(&key) {
            return *address;
        }
        let words = self.words(ty, value);
        let address = i64::from(STATIC_ADDRESS) + i64::try_from(self.statics.len()).unwrap_or(i64::MAX);
        for word in words {
            self.statics.extend(word.to_le_bytes());
        }
        if let Value::Text(text) = value {
            self.statics.extend(text.as_bytes());
            self.statics.resize(self.statics.len().next_multiple_of(8), 0);
        }
        self.known.insert(key, address);
        address
    }

    fn words(&mut self, ty: &Type, value: &Value) -> Vec<i64> {
        let length = |count: usize| i64::try_from(count).unwrap_or(i64::MAX);
        match (ty, value) {
            (_, Value::Ratio(ratio)) => vec![ratio.numerator(), ratio.denominator()],
            (_, Value::Text(text)) => vec![length(text.len())],
            (Type::Option(of), Value::Option(Some(value))) => vec![self.constant(of, value)],
            (Type::List(of), Value::List(values)) => {
                let mut words = vec![length(values.len())];
                words.extend(values.iter().map(|value| self.constant(of, value)));
                words
            }
            (Type::Map(key, of), Value::Map(entries)) => {
                let mut words = vec![length(entries.len())];
                for entry in entries.iter() {
                    words.push(self.constant(key, &entry.0));
                    words.push(self.constant(of, &entry.1));
                }
                words
            }
            (Type::Record(id), Value::Record(values)) => {
                let fields = self.types().record(*id).fields.iter().zip(values.iter());
                fields.map(|((_, ty), value)| self.constant(ty, value)).collect()
            }
            (Type::Enum(id), Value::Variant(place, values)) => {
                let expected = &self.types().enumeration(*id).variants[*place as usize].1;
                let mut words = vec![i64::from(*place)];
                words.extend(
                    expected
                        .iter()
                        .zip(values.iter())
                        .map(|(ty, value)| self.constant(ty, value)),
                );
                words
            }
            _ => {
                self.give_up("a constant that is not of its type");
                Vec::new()
            }
        }
    }

    /// The address of a text that is known.
    pub(super) fn text(&mut self, text: &str) -> Low {
        Low::Int(self.constant(&Type::Text, &Value::from(text)))
    }
}
