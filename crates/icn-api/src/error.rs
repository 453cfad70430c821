//! Errors of the HTTP interface: a closed, numbered list, and how they look on the wire (RFC 9457).
//!
//! What the *log* refuses has codes of its own, `icn_model::REFUSAL_CODES`, from 101 to 599, from 701 to 899 and from
//! 1001 on, and what other nodes do wrong has those of `icn_model::Fault`, from 611 to 699; these are from 901 to 999. A
//! number, once given, keeps its meaning for ever.
use crate::Scope;
use icn_model::{Cid, Code, Fault, REFUSAL_CODES};
use serde::{Deserialize, Serialize};
use std::fmt;

/// Prefix of [`Problem::kind`].
const TYPE_PREFIX: &str = "urn:icn:error:";

/// An error as a client sees it: problem details by RFC 9457, with a stable code and a way out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Problem {
    /// `urn:icn:error:` and the name.
    #[serde(rename = "type")]
    pub kind: String,
    /// What the code means, the same for each occurrence.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What happened this time.
    pub detail: String,
    /// The stable number; `icn-cli explain` tells more.
    pub code: u16,
    /// The stable name.
    pub name: String,
    /// What to do about it.
    pub remedy: String,
    /// Under what id the node's log has it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub correlation_id: Option<String>,
}

impl Problem {
    /// A problem from its code.
    pub fn new(code: Code, status: u16, detail: impl fmt::Display) -> Self {
        Self {
            kind: format!("{TYPE_PREFIX}{}", code.name),
            title: code.meaning.to_owned(),
            status,
            detail: detail.to_string(),
            code: code.number,
            name: code.name.to_owned(),
            remedy: code.remedy.to_owned(),
            correlation_id: None,
        }
    }

    /// The same, to be found in the log under `id`.
    #[must_use]
    pub fn correlated(mut self, id: impl Into<String>) -> Self {
        self.correlation_id = Some(id.into());
        self
    }
}

impl From<&ApiError> for Problem {
    fn from(error: &ApiError) -> Self {
        let kind = error.kind();
        Self::new(kind.code(), kind.status(), error)
    }
}

macro_rules! api_errors {
    ($( $number:literal $status:literal $variant:ident { $($field:ident: $ty:ty),* $(,)? }
        $name:literal, $text:literal, $meaning:literal, $remedy:literal; )*) => {
        /// What the HTTP interface answers with when it does not do what was asked.
        #[derive(Clone, Debug, PartialEq, Eq)]
        pub enum ApiError {
            $( #[doc = $meaning] $variant { $( #[doc = stringify!($field)] $field: $ty ),* }, )*
        }

        /// An [`ApiError`] without what happened this time.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum ErrorKind {
            $( #[doc = $meaning] $variant, )*
        }

        impl ErrorKind {
            /// Every kind, in order of the numbers.
            pub const ALL: &[Self] = &[ $( Self::$variant, )* ];

            /// Number, name, meaning and remedy.
            pub const fn code(self) -> Code {
                match self {
                    $( Self::$variant =>
                        Code { number: $number, name: $name, meaning: $meaning, remedy: $remedy }, )*
                }
            }

            /// The HTTP status that it is answered with.
            pub const fn status(self) -> u16 {
                match self { $( Self::$variant => $status, )* }
            }
        }

        impl ApiError {
            /// Which error it is.
            pub const fn kind(&self) -> ErrorKind {
                match self { $( Self::$variant { .. } => ErrorKind::$variant, )* }
            }
        }

        impl fmt::Display for ApiError {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $( Self::$variant { $($field),* } => write!(f, $text), )*
                }
            }
        }
    };
}

api_errors! {
    901 401 Unauthorised {} "unauthorised", "no valid API key was sent",
        "The route needs an API key, and the request had none that this node knows.",
        "Send the key as `x-api-key` or `Authorization: Bearer`; icn-cli takes --api-key or ICN_API_KEY, and the node writes its key to cli.toml in its data directory.";
    902 403 Forbidden { needs: Scope } "forbidden", "the API key lacks the scope {needs}",
        "The key is known, but was not made for this.",
        "Use a key with the scope that the detail names.";
    903 404 NotFound { what: &'static str, id: String } "not-found", "there is no {what} {id}",
        "The node does not know what the request names.",
        "Check the id. If it is new, the node may be behind: `icn-cli status` shows by how much.";
    904 400 BadRequest { field: String, detail: String } "bad-request", "{field}: {detail}",
        "A part of the request is not what the route takes.",
        "Correct the part that the detail names; GET /openapi.json describes every route.";
    905 413 BodyTooLarge { max_bytes: u64 } "body-too-large", "the body is larger than {max_bytes} bytes",
        "Each route takes a bounded number of bytes.",
        "Send less at once: operations in several requests, files block by block (icn-cli dag put does).";
    906 415 UnsupportedMediaType { expected: &'static str } "unsupported-media-type", "expected a body of type {expected}",
        "The route takes another kind of body.",
        "Set the Content-Type that the detail names.";
    907 429 RateLimited { retry_after_secs: u64 } "rate-limited", "too many requests: try again in {retry_after_secs} s",
        "The node answers each client, by key or else by address, a bounded number of times a minute.",
        "Wait as long as Retry-After says; send several operations in one request.";
    908 503 NotReady { reason: String } "not-ready", "not ready: {reason}",
        "The node is starting, has no federation yet, or has lost what it needs to serve.",
        "GET /ready names each check and its reason; wait, or mend what it names.";
    909 504 TimedOut { after_ms: u64 } "timed-out", "no answer within {after_ms} ms",
        "What the request needs did not come in time.",
        "Try again; for content, check that a node that has it is connected (`icn-cli network peers`).";
    910 405 MethodNotAllowed {} "method-not-allowed", "the route does not take this method",
        "The path exists, with another method.",
        "GET /openapi.json lists the methods of each path.";
    911 500 Internal {} "internal", "the node failed to answer; its log says why",
        "A fault of the node, not of the request.",
        "Look for the correlation id in the node's log, and report it.";
    912 500 CorruptBlock { cid: Cid } "corrupt-block", "the stored bytes of {cid} are not what it names",
        "The disk gave back other bytes than were written. They are not served.",
        "The node fetches the block anew from its peers; if it has none, restore it from a backup, and check the disk.";
    913 404 BlockNotFound { cid: Cid } "block-not-found", "no block {cid}, here or with a connected peer",
        "The node does not have the block, and no peer gave it in time.",
        "Check the id; see that a node that has it is connected, and try again.";
    914 422 NotAFile { cid: Cid } "not-a-file", "{cid} is a block, but not a file",
        "A file is a raw block, or a DAG-CBOR block that lists raw blocks.",
        "Get it as a block: GET /v1/dag/blocks/{cid}.";
    915 507 StorageFull {} "storage-full", "the node has no room for more",
        "The node's disk or its quota is full.",
        "Free space on the node, or send the content to another one.";
    916 503 Overloaded {} "overloaded", "the node has too much to do",
        "More was asked at once than the node takes.",
        "Wait a moment and try again; spread the load over several nodes.";
    917 404 NoFederation {} "no-federation", "the node is not in a federation yet",
        "An applicant knows its invitation, not the federation's log.",
        "`icn-cli status` says what the node waits for; `icn-cli federation join` applies for a seat.";
    918 409 InFederation { id: Cid } "in-federation", "the node is in the federation {id} already",
        "A node belongs to one federation for its life.",
        "To join another federation, start a node with another data directory.";
    931 409 KeyNameTaken { name: String } "key-name-taken", "there is a key called {name} already",
        "Each key has a name of its own, by which the audit log tells who did what.",
        "Choose another name, or give the key a new secret: `icn-cli api-key rotate NAME`.";
    932 409 TooManyKeys { max: usize } "too-many-keys", "the node has {max} keys, which is as many as it keeps",
        "Every request is compared with every key, so their number is bounded.",
        "Revoke keys that nobody uses: `icn-cli api-key ls`, `icn-cli api-key revoke NAME`.";
    933 507 OverQuota { wanted_bytes: u64, used_bytes: u64, quota_bytes: u64 } "over-quota", "{wanted_bytes} bytes more do not fit: {used_bytes} of {quota_bytes} bytes are taken",
        "The node's operator has limited what clients can put.",
        "Unpin what is no longer needed and run `icn-cli dag gc`, put it on another node, or ask the operator for a larger storage.block_quota_bytes.";
    934 409 Busy { what: &'static str } "busy", "{what} is running already",
        "The node does this one at a time.",
        "Wait until it is done, and ask again.";
    935 422 ArchiveRefused { detail: String } "archive-refused", "{detail}",
        "The archive is damaged, incomplete, of another federation, or no backup. Nothing of it was used.",
        "Use another copy of the archive; the detail says what is wrong with this one.";
    936 422 CannotRotate { detail: String } "cannot-rotate", "{detail}",
        "The node cannot put another key in the place of its own, or could not come back with it.",
        "The detail names what is in the way.";
    941 409 TransferOverLimit { detail: String } "transfer-over-limit", "{detail}",
        "With what is pending, this node's cooperative would owe more than the line's limit.",
        "Wait until the other end has paid or signed what is pending, clear debts, or agree on a higher limit (icn-cli agreement offer).";
    942 409 TooManyPending { detail: String } "too-many-pending-transfers", "{detail}",
        "A bounded number of transfers of a line may wait for the other end's signature.",
        "Wait for the other end (icn-cli credit show LINE). If it is silent, ask the log to make them void: icn-cli credit void LINE.";
    943 409 ReferenceTaken { number: u64 } "reference-taken", "the reference names transfer {number}, which is of another amount",
        "A reference names one transfer of a line for ever, so that an order that is sent twice is carried out once.",
        "Use a new reference for another transfer.";
    944 409 LineVoiding {} "line-voiding", "what is pending is being made void: nothing is signed until the log has decided",
        "This node has asked the log to make void what the other end does not sign.",
        "Wait for the end of the window: icn-cli credit show LINE tells when.";
    945 409 LineWaits {} "line-waits-for-other", "this end signs when the other end has told where it stands, and the log is here",
        "The node's disk is new, or was restored: it may have signed numbers that it has forgotten, and the other end knows them.",
        "Wait until the other end's node is reached, which answers by itself, and this one has caught up with the log.";
    946 409 LineQuarrel {} "line-quarrel", "the other end has signed two transfers with one number",
        "There is a proof that the other end cannot be trusted with this line. It is on the log, or on its way there.",
        "Settle it between the cooperatives, and sign new terms: icn-cli agreement offer.";
    947 409 NoLineKey { detail: String } "no-line-key", "{detail}",
        "Transfers are signed with the cooperative's line key, and this node does not have it.",
        "Put the key's file on the node and name it in identity.line_key_path, or make a key of the node the line key: icn-cli key assign.";
    948 409 NotAnEnd { line: String } "not-an-end-of-the-line", "this node's cooperative is no end of the line {line}",
        "Transfers and what belongs to them are kept by the two ends of a line alone.",
        "Ask a node of one of the two ends; GET /v1/credit/lines says who they are.";
    949 409 NothingPending {} "nothing-pending", "nothing on the line waits for the other end's signature",
        "There is nothing that could be made void.",
        "icn-cli credit show LINE tells what is pending.";
    950 409 NothingToAnchor {} "nothing-to-anchor", "the log knows all that both ends have signed",
        "There is nothing to tell the log.",
        "Nothing is to be done.";
    951 409 TransferRefused { detail: String } "transfer-refused", "{detail}",
        "The line's book does not take the transfer as it is, or not now.",
        "The detail says why.";
    952 409 RoundLimit { detail: String } "round-limit", "{detail}",
        "While a round of clearing is on, an end that takes part signs only what fits its limit whether the round is applied or not.",
        "Transfer less, or wait until the round is over: icn-cli clearing status.";
    953 409 NoSuccessor { detail: String } "no-successor", "{detail}",
        "A log can be continued by cooperatives that have a seat in it.",
        "Name as lost only seats that are, and leave one of a cooperative: icn-cli federation members.";
}

impl std::error::Error for ApiError {}

impl ErrorKind {
    /// What any call may be answered with.
    pub const COMMON: &[Self] = &[
        Self::BadRequest,
        Self::RateLimited,
        Self::Internal,
        Self::NotReady,
        Self::Overloaded,
    ];
}

/// What a code means, by its number (`401`), name (`insufficient-mana`) or type (`urn:icn:error:…`).
pub fn explain(code: &str) -> Option<Code> {
    let code = code.trim();
    let name = code.strip_prefix(TYPE_PREFIX).unwrap_or(code);
    let number = name.parse::<u16>().ok();
    codes().find(|code| code.name.eq_ignore_ascii_case(name) || Some(code.number) == number)
}

/// Every code that a node answers with or counts, in order of the numbers.
pub fn codes() -> impl Iterator<Item = Code> {
    let own = ErrorKind::ALL.iter().map(|kind| kind.code());
    let faults = Fault::ALL.iter().map(|fault| fault.code());
    let mut codes: Vec<Code> = REFUSAL_CODES.iter().copied().chain(faults).chain(own).collect();
    codes.sort_unstable_by_key(|code| code.number);
    codes.into_iter()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_unique_in_order_and_explained() {
        let codes: Vec<_> = codes().collect();
        assert!(codes.is_sorted_by(|a, b| a.number < b.number), "each number once");
        for (at, code) in codes.iter().enumerate() {
            assert!(
                codes[..at].iter().all(|other| other.name != code.name),
                "{}",
                code.name
            );
            assert!(
                code.meaning.ends_with('.') && code.remedy.ends_with('.'),
                "{}",
                code.name
            );
            assert_eq!(explain(code.name), Some(*code));
            assert_eq!(explain(&code.number.to_string()), Some(*code));
        }
    }

    #[test]
    fn codes_are_found_as_people_write_them() {
        assert_eq!(explain(" Insufficient-Mana ").map(|code| code.number), Some(401));
        assert_eq!(
            explain("urn:icn:error:unauthorised").map(|code| code.number),
            Some(901)
        );
        assert_eq!(explain("99999"), None);
        assert_eq!(explain(""), None);
    }

    #[test]
    fn a_problem_is_rfc_9457() {
        let error = ApiError::Forbidden { needs: Scope::Submit };
        let json = serde_json::to_value(Problem::from(&error).correlated("c-1")).unwrap();
        assert_eq!(json["type"], "urn:icn:error:forbidden");
        assert_eq!(json["status"], 403);
        assert_eq!(json["detail"], "the API key lacks the scope submit");
        assert_eq!(json["code"], 902);
        assert_eq!(json["correlation_id"], "c-1");
    }
}
