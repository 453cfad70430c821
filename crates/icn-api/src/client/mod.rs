//! A blocking client of a node's HTTP interface.
//!
//! Nearly every request of this interface may be repeated without harm (reads change nothing, operations and blocks are named by
//! their hashes, transfers by a reference; only those about keys are sent once), so a request that got no answer, or was told to
//! come back later, is repeated a few times with growing pauses. What is fetched by hash is checked against it. Nothing is signed here.
mod calls;
mod error;
mod events;
mod presence;

pub use error::ClientError;
pub use events::EventStream;

use crate::{API_KEY_HEADER, Method, PROBLEM_JSON, Problem};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::Value;
use std::{fmt, fs::File, thread, time::Duration};
use ureq::{
    Agent, Body, RequestBuilder,
    http::{Response, Uri},
    tls::{PemItem, RootCerts, TlsConfig, parse_pem},
};

/// The largest JSON answer that is read.
const MAX_JSON_BYTES: u64 = 64 << 20;
/// Pauses before a request is repeated.
const PAUSES_MS: [u64; 3] = [100, 300, 900];
/// The longest pause that a node can ask for before it is reported as an error instead.
const MAX_RETRY_AFTER_SECS: u64 = 5;
/// What a call that waits gets beyond its wait, to answer.
const WAIT_GRACE: Duration = Duration::from_secs(10);

/// Where a node is and how to talk to it.
#[derive(Clone)]
pub struct ClientConfig {
    /// Base URL, such as `http://127.0.0.1:7845`; without a path.
    pub base_url: String,
    /// The API key, if the node asks for one.
    pub api_key: Option<String>,
    /// Certificates (PEM) that an https node's own is to be signed by; the public authorities', if absent.
    pub ca_pem: Option<Vec<u8>>,
    /// Until when a connection must stand.
    pub connect_timeout_ms: u64,
    /// Until when a call that does not wait for anything must be answered, its body included.
    pub timeout_ms: u64,
    /// How often a request that got no answer is repeated, at most 3.
    pub retries: usize,
}

impl ClientConfig {
    /// The node at `base_url`, without a key, with 3 s to connect, 30 s to answer and three repetitions.
    pub fn new(base_url: impl Into<String>) -> Self {
        Self {
            base_url: base_url.into(),
            api_key: None,
            ca_pem: None,
            connect_timeout_ms: 3_000,
            timeout_ms: 30_000,
            retries: 3,
        }
    }
}

impl fmt::Debug for ClientConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ClientConfig")
            .field("base_url", &self.base_url)
            .field("api_key", &self.api_key.as_ref().map(|_| "…"))
            .finish_non_exhaustive()
    }
}

/// A node, as seen from outside. Cheap to clone; connections are kept and shared.
#[derive(Clone, Debug)]
pub struct Client {
    agent: Agent,
    config: ClientConfig,
}

/// One request, before it is sent.
struct Request<'a> {
    method: Method,
    path: String,
    query: Vec<(String, String)>,
    body: Option<(&'a str, &'a [u8])>,
    accept: &'static str,
    last_event: Option<u64>,
    /// How long the node is asked to wait before it answers.
    wait: Duration,
    /// Whether the request or its answer takes as long as it takes, because of its size.
    is_long: bool,
}

impl<'a> Request<'a> {
    fn get(path: impl Into<String>) -> Self {
        Self {
            method: Method::Get,
            path: path.into(),
            query: Vec::new(),
            body: None,
            accept: "application/json",
            last_event: None,
            wait: Duration::ZERO,
            is_long: false,
        }
    }

    fn delete(path: impl Into<String>) -> Self {
        Self {
            method: Method::Delete,
            ..Self::get(path)
        }
    }

    fn post(path: &str, media: &'a str, bytes: &'a [u8]) -> Self {
        Self {
            method: Method::Post,
            body: Some((media, bytes)),
            ..Self::get(path)
        }
    }

    fn query(mut self, query: &impl Serialize) -> Self {
        self.query = pairs(query);
        self
    }
}

/// The parameters of a query: what its type is as JSON, without what is absent.
fn pairs(query: &impl Serialize) -> Vec<(String, String)> {
    let Ok(Value::Object(fields)) = serde_json::to_value(query) else {
        return Vec::new();
    };
    let text = |value| match value {
        Value::Null => None,
        Value::String(text) => Some(text),
        other => Some(other.to_string()),
    };
    fields
        .into_iter()
        .filter_map(|(name, value)| Some((name, text(value)?)))
        .collect()
}

/// How long the node asks to be left alone, if it does and that is bearable.
fn retry_after(response: &Response<Body>) -> Option<Duration> {
    let seconds: u64 = response
        .headers()
        .get("retry-after")?
        .to_str()
        .ok()?
        .parse()
        .ok()?;
    Some(Duration::from_secs(seconds.min(MAX_RETRY_AFTER_SECS)))
}

/// Whose signature on a node's certificate counts.
fn tls(ca_pem: Option<&[u8]>) -> Result<TlsConfig, ClientError> {
    let Some(pem) = ca_pem else {
        return Ok(TlsConfig::default());
    };
    let mut certificates = Vec::new();
    for item in parse_pem(pem) {
        if let PemItem::Certificate(certificate) = item.map_err(|_| ClientError::Certificates)? {
            certificates.push(certificate);
        }
    }
    if certificates.is_empty() {
        return Err(ClientError::Certificates);
    }
    Ok(TlsConfig::builder()
        .root_certs(RootCerts::new_with_certs(&certificates))
        .build())
}

impl Client {
    /// Prepares to talk to a node; connects at the first call.
    ///
    /// # Errors
    /// [`ClientError::Url`] if the base URL is none, [`ClientError::Certificates`] if `ca_pem` holds none.
    pub fn new(mut config: ClientConfig) -> Result<Self, ClientError> {
        let trimmed = config.base_url.trim_end_matches('/').to_owned();
        let uri: Result<Uri, _> = trimmed.parse();
        let usable = uri.is_ok_and(|uri| {
            matches!(uri.scheme_str(), Some("http" | "https"))
                && uri.host().is_some()
                && uri.query().is_none()
        });
        if !usable {
            return Err(ClientError::Url { url: config.base_url });
        }
        config.base_url = trimmed;
        let agent = Agent::config_builder()
            .http_status_as_error(false)
            .max_redirects(0)
            .tls_config(tls(config.ca_pem.as_deref())?)
            .user_agent(concat!("icn-api/", env!("CARGO_PKG_VERSION")))
            .timeout_connect(Some(Duration::from_millis(config.connect_timeout_ms)))
            .build()
            .new_agent();
        Ok(Self { agent, config })
    }

    /// The node's base URL, without a slash at its end.
    pub fn base_url(&self) -> &str {
        &self.config.base_url
    }

    fn json<T: DeserializeOwned>(&self, request: &Request<'_>) -> Result<T, ClientError> {
        let mut response = self.send(request)?;
        self.decode(request, &mut response)
    }

    /// Reads the JSON of an answer, whatever its status.
    fn decode<T: DeserializeOwned>(
        &self,
        request: &Request<'_>,
        response: &mut Response<Body>,
    ) -> Result<T, ClientError> {
        let bytes = self.read(request, response, MAX_JSON_BYTES)?;
        serde_json::from_slice(&bytes).map_err(|source| ClientError::Decode {
            url: self.url(&request.path),
            source,
        })
    }

    fn bytes(&self, request: &Request<'_>, max_bytes: u64) -> Result<Vec<u8>, ClientError> {
        let mut response = self.send(request)?;
        self.read(request, &mut response, max_bytes)
    }

    fn read(
        &self,
        request: &Request<'_>,
        response: &mut Response<Body>,
        max_bytes: u64,
    ) -> Result<Vec<u8>, ClientError> {
        // The library's limit is the first size that it refuses.
        let body = response
            .body_mut()
            .with_config()
            .limit(max_bytes + 1)
            .read_to_vec();
        body.map_err(|source| match source {
            ureq::Error::BodyExceedsLimit(_) => ClientError::TooLarge {
                url: self.url(&request.path),
                max_bytes,
            },
            source => self.no_answer(source),
        })
    }

    /// Sends a request until it is answered, and turns answers that are no success into errors.
    fn send(&self, request: &Request<'_>) -> Result<Response<Body>, ClientError> {
        let mut pauses = PAUSES_MS.iter().take(self.config.retries);
        loop {
            let (error, pause) = match self.send_once(request) {
                Ok(response) if response.status().is_success() => return Ok(response),
                Ok(mut response) => {
                    let after = retry_after(&response);
                    (self.failure(request, &mut response), after)
                }
                Err(error) => (error, None),
            };
            let Some(pause_ms) = pauses.next().filter(|_| error.is_passing()) else {
                return Err(error);
            };
            thread::sleep(pause.unwrap_or(Duration::from_millis(*pause_ms)));
        }
    }

    fn send_once(&self, request: &Request<'_>) -> Result<Response<Body>, ClientError> {
        let url = self.url(&request.path);
        let timeout = match request.wait {
            Duration::ZERO => Duration::from_millis(self.config.timeout_ms),
            wait => wait.saturating_add(WAIT_GRACE),
        };
        // A stream of events has no end.
        let is_endless = request.is_long || request.accept == crate::EVENT_STREAM;
        let whole = (!is_endless).then_some(timeout);
        let bare = |builder| {
            self.prepared(builder, request)
                .config()
                .timeout_global(whole)
                .timeout_recv_response(Some(timeout))
                .build()
        };
        let full = |builder| {
            self.prepared(builder, request)
                .config()
                .timeout_global(whole)
                .build()
        };
        let answer = match (request.method, request.body) {
            (Method::Get, _) => bare(self.agent.get(&url)).call(),
            (Method::Delete, _) => bare(self.agent.delete(&url)).call(),
            (Method::Post, None) => full(self.agent.post(&url)).send_empty(),
            (Method::Patch, None) => full(self.agent.patch(&url)).send_empty(),
            (Method::Post, Some((media, bytes))) => {
                full(self.agent.post(&url)).content_type(media).send(bytes)
            }
            (Method::Patch, Some((media, bytes))) => {
                full(self.agent.patch(&url)).content_type(media).send(bytes)
            }
        };
        answer.map_err(|source| self.no_answer(source))
    }

    /// Sends a file as the body, once.
    fn send_file(&self, request: &Request<'_>, file: &File) -> Result<Response<Body>, ClientError> {
        let media = request.body.map_or(crate::OCTETS, |(media, _)| media);
        self.prepared(self.agent.post(self.url(&request.path)), request)
            .content_type(media)
            .send(file)
            .map_err(|source| self.no_answer(source))
    }

    fn prepared<B>(&self, builder: RequestBuilder<B>, request: &Request<'_>) -> RequestBuilder<B> {
        let query = request
            .query
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()));
        let mut builder = builder.query_pairs(query).header("accept", request.accept);
        if let Some(key) = &self.config.api_key {
            builder = builder.header(API_KEY_HEADER, key);
        }
        if let Some(number) = request.last_event {
            builder = builder.header("last-event-id", number.to_string());
        }
        builder
    }

    /// The error that an answer which is no success stands for.
    fn failure(&self, request: &Request<'_>, response: &mut Response<Body>) -> ClientError {
        let status = response.status().as_u16();
        let is_problem = response.body().mime_type() == Some(PROBLEM_JSON);
        let text = response
            .body_mut()
            .with_config()
            .limit(MAX_JSON_BYTES)
            .lossy_utf8(true)
            .read_to_string();
        let text = text.unwrap_or_default();
        match serde_json::from_str::<Problem>(&text) {
            Ok(problem) if is_problem => ClientError::Problem(Box::new(problem)),
            _ => ClientError::Status {
                url: self.url(&request.path),
                status,
                text: text.chars().take(200).collect(),
            },
        }
    }

    fn no_answer(&self, source: ureq::Error) -> ClientError {
        ClientError::NoAnswer {
            url: self.config.base_url.clone(),
            source: Box::new(source),
        }
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.config.base_url)
    }
}
