//! What an entry of the table of routes says: who may call, what goes in, what comes out, what can go wrong.
//!
//! Entries are data. With the feature `schema` they also carry the schemas of their bodies, from which the
//! OpenAPI document is made.
use crate::{ErrorKind, Scope};
use std::fmt;

/// The HTTP methods in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Method {
    /// Reads; changes nothing.
    Get,
    /// Hands something in. Whatever is handed in is named by its hash, so sending it twice is sending it once.
    Post,
    /// Changes what is named, all of it or nothing.
    Patch,
    /// Takes something away. That it is gone already is an answer like any other.
    Delete,
}

impl Method {
    /// As on the wire.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Patch => "PATCH",
            Self::Delete => "DELETE",
        }
    }
}

/// The area that a route belongs to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Tag {
    /// The node itself.
    Node,
    /// What has happened.
    Events,
    /// What is asked of the log.
    Operations,
    /// The federation and its log.
    Federation,
    /// Blocks and files.
    Dag,
    /// Jobs.
    Mesh,
    /// Accounts.
    Mana,
    /// Proposals, votes, rules.
    Governance,
    /// Agreements and credit between cooperatives.
    Credit,
    /// Peers.
    Network,
    /// How the node is set up.
    Config,
    /// Who may use the interface.
    Access,
}

impl Tag {
    /// Every tag with what it is about, in the order of the document.
    pub const ALL: [(Self, &'static str); 12] = [
        (Self::Node, "The node itself: alive, ready, what it is"),
        (Self::Events, "What the log has brought about"),
        (Self::Operations, "What authors ask of the log"),
        (Self::Federation, "The federation, its seats and members, its log"),
        (Self::Dag, "Blocks and files, named by their hash"),
        (Self::Mesh, "Jobs and who runs them"),
        (Self::Mana, "Accounts and their conservation"),
        (
            Self::Governance,
            "Proposals, votes on them, and the rules by which they go",
        ),
        (Self::Credit, "Agreements between cooperatives"),
        (Self::Network, "Peers and addresses"),
        (Self::Config, "How the node is set up"),
        (Self::Access, "Who may use the interface, and for what"),
    ];

    /// The name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Node => "node",
            Self::Events => "events",
            Self::Operations => "operations",
            Self::Federation => "federation",
            Self::Dag => "dag",
            Self::Mesh => "mesh",
            Self::Mana => "mana",
            Self::Governance => "governance",
            Self::Credit => "credit",
            Self::Network => "network",
            Self::Config => "config",
            Self::Access => "access",
        }
    }
}

/// A type that a body can have.
#[cfg(feature = "schema")]
pub trait Described: utoipa::ToSchema {}
#[cfg(feature = "schema")]
impl<T: utoipa::ToSchema> Described for T {}

/// A type that a body can have.
#[cfg(not(feature = "schema"))]
pub trait Described {}
#[cfg(not(feature = "schema"))]
impl<T> Described for T {}

/// A type that the parameters of a query are read into.
#[cfg(feature = "schema")]
pub trait DescribedQuery: utoipa::IntoParams {}
#[cfg(feature = "schema")]
impl<T: utoipa::IntoParams> DescribedQuery for T {}

/// A type that the parameters of a query are read into.
#[cfg(not(feature = "schema"))]
pub trait DescribedQuery {}
#[cfg(not(feature = "schema"))]
impl<T> DescribedQuery for T {}

/// Schemas by name.
#[cfg(feature = "schema")]
pub(crate) type Schemas = Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>;

/// The Rust type of a JSON body.
#[derive(Clone, Copy)]
pub struct Type {
    /// The full name of the Rust type.
    pub rust: fn() -> &'static str,
    #[cfg(feature = "schema")]
    pub(crate) name: fn() -> std::borrow::Cow<'static, str>,
    #[cfg(feature = "schema")]
    pub(crate) schema: fn() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>,
    #[cfg(feature = "schema")]
    pub(crate) referenced: fn(&mut Schemas),
}

impl Type {
    /// Describes `T`.
    pub const fn of<T: Described>() -> Self {
        Self {
            rust: std::any::type_name::<T>,
            #[cfg(feature = "schema")]
            name: T::name,
            #[cfg(feature = "schema")]
            schema: T::schema,
            #[cfg(feature = "schema")]
            referenced: T::schemas,
        }
    }
}

impl fmt::Debug for Type {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str((self.rust)())
    }
}

/// The Rust type of a query.
#[derive(Clone, Copy)]
pub struct Query {
    /// The full name of the Rust type.
    pub rust: fn() -> &'static str,
    #[cfg(feature = "schema")]
    pub(crate) parameters: fn() -> Vec<utoipa::openapi::path::Parameter>,
}

impl Query {
    /// Describes `T`.
    pub const fn of<T: DescribedQuery>() -> Self {
        Self {
            rust: std::any::type_name::<T>,
            #[cfg(feature = "schema")]
            parameters: || T::into_params(|| Some(utoipa::openapi::path::ParameterIn::Query)),
        }
    }
}

impl fmt::Debug for Query {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str((self.rust)())
    }
}

/// What a request or an answer carries.
#[derive(Clone, Copy, Debug)]
pub enum Body {
    /// JSON.
    Json(Type),
    /// JSON, or a stream of server-sent events whose data is the second type.
    JsonOrEvents(Type, Type),
    /// Bytes as they are.
    Octets,
    /// Text of this media type.
    Text(&'static str),
    /// A [`Problem`](crate::Problem) that is the log's word, not an error of the interface.
    Problem,
}

impl Body {
    /// JSON of a `T`.
    pub const fn json<T: Described>() -> Self {
        Self::Json(Type::of::<T>())
    }
}

/// One way in which a call succeeds.
#[derive(Clone, Copy, Debug)]
pub struct Answer {
    /// The HTTP status.
    pub status: u16,
    /// What this answer means.
    pub meaning: &'static str,
    /// What it carries.
    pub body: Body,
}

/// One route with one method.
#[derive(Clone, Copy, Debug)]
pub struct Endpoint {
    /// A stable name of the call, in snake case.
    pub id: &'static str,
    /// How it is called.
    pub method: Method,
    /// Where: one of [`crate::paths`].
    pub path: &'static str,
    /// Its area.
    pub tag: Tag,
    /// The scope that the caller's key needs.
    pub scope: Scope,
    /// What it does, in one line.
    pub summary: &'static str,
    /// What else there is to say; may be empty.
    pub details: &'static str,
    /// Parameters of the query.
    pub query: Option<Query>,
    /// What the request carries.
    pub request: Option<Body>,
    /// The most bytes that a request carries.
    pub max_request_bytes: usize,
    /// How it succeeds.
    pub answers: &'static [Answer],
    /// How it fails, beyond [`ErrorKind::COMMON`].
    pub errors: &'static [ErrorKind],
}
