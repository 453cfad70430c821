//! What a compiled module says of itself, in its custom section: where it comes from, and its roles and
//! processes, which are not code.
use crate::{
    interface::{ELECTORATES, INTERFACE_VERSION, METHODS, PROPOSAL_KINDS},
    ir::{Process, Program, Threshold},
    limits::{LANGUAGE_VERSION, MAX_ELEMENTS, MAX_RESULT_BYTES},
    number::Ratio,
    types::{RecordDef, RecordId, Type, Types},
    value::{Value, ValueError, decode, encode},
};
use icn_model::Cid;
use std::sync::{Arc, LazyLock};

/// A role, as the module tells of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoleData {
    /// Its name.
    pub name: String,
    /// What it may do; from [`PERMISSIONS`](crate::interface::PERMISSIONS).
    pub may: Vec<String>,
    /// Whether the module has a rule about who can have it.
    pub requires: bool,
}

/// What a compiled module says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metadata {
    /// Version of the language.
    pub language: u32,
    /// Version of the interface.
    pub interface: u32,
    /// Name of the contract.
    pub name: String,
    /// Version of the contract.
    pub version: u32,
    /// `federation` or `cooperative`; `none` for a module of declarations.
    pub scope: String,
    /// Content ids of the source files; the first is the contract.
    pub sources: Vec<Cid>,
    /// Its roles.
    pub roles: Vec<RoleData>,
    /// Its processes.
    pub processes: Vec<Process>,
}

const METADATA: Type = Type::Record(RecordId(0));
const ROLE: RecordId = RecordId(1);
const PROCESS: RecordId = RecordId(2);

/// The section is encoded like a record of the language, with these fields.
static TYPES: LazyLock<Types> = LazyLock::new(|| {
    let texts = || Type::list(Type::Text);
    let record = |name: &str, fields: &[(&str, Type)]| RecordDef {
        name: name.to_owned(),
        fields: fields
            .iter()
            .map(|(name, ty)| ((*name).to_owned(), ty.clone()))
            .collect(),
        span: None,
    };
    let metadata = record(
        "Metadata",
        &[
            ("language", Type::Int),
            ("interface", Type::Int),
            ("name", Type::Text),
            ("version", Type::Int),
            ("scope", Type::Text),
            ("sources", Type::list(Type::Cid)),
            ("roles", Type::list(Type::Record(ROLE))),
            ("processes", Type::list(Type::Record(PROCESS))),
        ],
    );
    let role = record(
        "Role",
        &[("name", Type::Text), ("may", texts()), ("requires", Type::Bool)],
    );
    let process = record(
        "Process",
        &[
            ("name", Type::Text),
            ("proposal", Type::Text),
            ("electorate", Type::Text),
            ("eligible", texts()),
            ("method", Type::Text),
            ("quorum", Type::Ratio),
            ("threshold", Type::option(Type::Ratio)),
            ("threshold_is_enough", Type::Bool),
            ("duration", Type::Duration),
            ("timelock", Type::Duration),
            ("sponsors", Type::Int),
            ("votes_final", Type::Bool),
            ("executes", Type::Bool),
        ],
    );
    Types {
        units: Vec::new(),
        records: vec![metadata, role, process],
        enums: Vec::new(),
    }
});

impl Metadata {
    /// What the module of `program` says.
    pub fn of(program: &Program) -> Self {
        let roles = program.roles.iter().map(|role| RoleData {
            name: role.name.clone(),
            may: role.may.iter().map(|name| (*name).to_owned()).collect(),
            requires: role.requires.is_some(),
        });
        Self {
            language: LANGUAGE_VERSION,
            interface: INTERFACE_VERSION,
            name: program.name.clone(),
            version: program.version,
            scope: program.scope.to_owned(),
            sources: program.sources.files().iter().map(|source| source.cid).collect(),
            roles: roles.collect(),
            processes: program.processes.clone(),
        }
    }

    /// The bytes of the section.
    ///
    /// # Errors
    /// A name that is too long, or more roles than a list holds.
    pub fn to_bytes(&self) -> Result<Vec<u8>, ValueError> {
        let value = Value::record(vec![
            i64::from(self.language).into(),
            i64::from(self.interface).into(),
            self.name.as_str().into(),
            i64::from(self.version).into(),
            self.scope.as_str().into(),
            self.sources.clone().into(),
            self.roles.iter().map(role_value).collect::<Vec<_>>().into(),
            self.processes
                .iter()
                .map(process_value)
                .collect::<Vec<_>>()
                .into(),
        ]);
        encode(&TYPES, &METADATA, &value, MAX_RESULT_BYTES)
    }

    /// What the section says.
    ///
    /// # Errors
    /// Bytes that no compiler of this language wrote.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, ValueError> {
        if bytes.len() > MAX_RESULT_BYTES {
            return Err(ValueError::Size);
        }
        let value = decode(&TYPES, &METADATA, bytes)?;
        let fields = Fields::of(&value)?;
        let sources = fields.list(5)?;
        let sources = sources
            .iter()
            .map(|cid| text(cid)?.parse().map_err(|_| ValueError::Form));
        Ok(Self {
            language: fields.small(0)?,
            interface: fields.small(1)?,
            name: fields.text(2)?,
            version: fields.small(3)?,
            scope: fields.text(4)?,
            sources: sources.collect::<Result<_, _>>()?,
            roles: fields.list(6)?.iter().map(role_of).collect::<Result<_, _>>()?,
            processes: fields.list(7)?.iter().map(process_of).collect::<Result<_, _>>()?,
        })
    }
}

fn texts(values: &[String]) -> Value {
    debug_assert!(values.len() <= MAX_ELEMENTS);
    values.iter().map(String::as_str).collect::<Vec<_>>().into()
}

fn role_value(role: &RoleData) -> Value {
    Value::record(vec![
        role.name.as_str().into(),
        texts(&role.may),
        role.requires.into(),
    ])
}

fn role_of(value: &Value) -> Result<RoleData, ValueError> {
    let fields = Fields::of(value)?;
    Ok(RoleData {
        name: fields.text(0)?,
        may: fields.texts(1)?,
        requires: fields.bool(2)?,
    })
}

fn process_value(process: &Process) -> Value {
    let (threshold, is_enough) = match process.threshold {
        Some(Threshold::MoreThan(share)) => (Some(share), false),
        Some(Threshold::AtLeast(share)) => (Some(share), true),
        None => (None, false),
    };
    Value::record(vec![
        process.name.as_str().into(),
        process.kind.name.into(),
        process.electorate.into(),
        texts(&process.eligible),
        process.method.into(),
        process.quorum.into(),
        threshold.into(),
        is_enough.into(),
        process.duration_ms.into(),
        process.timelock_ms.into(),
        process.sponsors.into(),
        process.votes_final.into(),
        process.executes.into(),
    ])
}

fn process_of(value: &Value) -> Result<Process, ValueError> {
    let fields = Fields::of(value)?;
    let one_of = |at: usize, known: &[(&'static str, &str)]| {
        let name = fields.text(at)?;
        let found = known.iter().map(|(known, _)| *known).find(|known| *known == name);
        found.ok_or(ValueError::Form)
    };
    let kind = fields.text(1)?;
    let threshold = match fields.0.get(6) {
        Some(Value::Option(Some(share))) if fields.bool(7)? => Some(Threshold::AtLeast(ratio(share)?)),
        Some(Value::Option(Some(share))) => Some(Threshold::MoreThan(ratio(share)?)),
        _ => None,
    };
    Ok(Process {
        name: fields.text(0)?,
        kind: PROPOSAL_KINDS
            .iter()
            .find(|known| known.name == kind)
            .ok_or(ValueError::Form)?,
        electorate: one_of(2, ELECTORATES)?,
        eligible: fields.texts(3)?,
        method: one_of(4, METHODS)?,
        quorum: ratio(fields.0.get(5).ok_or(ValueError::Type)?)?,
        threshold,
        duration_ms: fields.number(8)?,
        timelock_ms: fields.number(9)?,
        sponsors: fields.number(10)?,
        votes_final: fields.bool(11)?,
        executes: fields.bool(12)?,
    })
}

fn text(value: &Value) -> Result<String, ValueError> {
    match value {
        Value::Text(text) => Ok(text.to_string()),
        _ => Err(ValueError::Type),
    }
}

fn ratio(value: &Value) -> Result<Ratio, ValueError> {
    match value {
        Value::Ratio(ratio) => Ok(*ratio),
        _ => Err(ValueError::Type),
    }
}

/// The fields of a record by their places.
struct Fields(Arc<Vec<Value>>);

impl Fields {
    fn of(value: &Value) -> Result<Self, ValueError> {
        match value {
            Value::Record(fields) => Ok(Self(fields.clone())),
            _ => Err(ValueError::Type),
        }
    }

    fn text(&self, at: usize) -> Result<String, ValueError> {
        self.0.get(at).map_or(Err(ValueError::Type), text)
    }

    fn number(&self, at: usize) -> Result<i64, ValueError> {
        self.0.get(at).and_then(Value::as_number).ok_or(ValueError::Type)
    }

    fn small(&self, at: usize) -> Result<u32, ValueError> {
        u32::try_from(self.number(at)?).map_err(|_| ValueError::Form)
    }

    fn bool(&self, at: usize) -> Result<bool, ValueError> {
        self.0.get(at).and_then(Value::as_bool).ok_or(ValueError::Type)
    }

    fn list(&self, at: usize) -> Result<Arc<Vec<Value>>, ValueError> {
        match self.0.get(at) {
            Some(Value::List(values)) => Ok(values.clone()),
            _ => Err(ValueError::Type),
        }
    }

    fn texts(&self, at: usize) -> Result<Vec<String>, ValueError> {
        self.list(at)?.iter().map(text).collect()
    }
}
