//! One run's connection to a node, and its signing.
use crate::{
    failure::{Refused, Usage},
    format::Names,
    gather,
    global::Global,
    output::Output,
    profile::{self, Settings},
    progress::Progress,
    unlock,
};
use anyhow::Context as _;
use icn_api::{
    DEFAULT_API_URL, TEST_MODE_KEY,
    client::{Client, ClientConfig, ClientError},
    keyfile,
    operations::{NextOperation, OperationState, OperationStatus},
};
use icn_model::{
    Action, Cid, Did, Height, Millis, Operation, OperationId, Refusal, SecretKey, SignedOperation,
};
use std::{
    fs,
    io::Read as _,
    path::Path,
    sync::OnceLock,
    thread,
    time::{Duration, Instant},
};

/// How long an operation stays valid, by block time.
const VALIDITY: Millis = Millis::from_secs(15 * 60);
/// How long one request waits for an operation to be final.
const WAIT_ONCE: Duration = Duration::from_secs(5);
/// How long a command waits for its operation to be final.
const WAIT_ALL: Duration = Duration::from_secs(60);
/// How long a node may take to hear what another one knows already, as long as both are connected.
const HEARSAY: Duration = Duration::from_secs(5);
/// How often it is asked meanwhile.
const HEARSAY_POLL: Duration = Duration::from_millis(100);
/// Status of an answer about something that the node does not know.
const NOT_FOUND: u16 = 404;
/// More than all public authorities' certificates take together.
const MAX_CERTIFICATES_BYTES: u64 = 4 << 20;
/// How often a number is taken anew when somebody else with the same key took it first.
const MAX_RACES: usize = 3;

/// A node to talk to, and perhaps a key to sign with.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) settings: Settings,
    pub(crate) output: Output,
    /// The key, once it is read: nobody is asked for its passphrase twice.
    pub(crate) key: OnceLock<SecretKey>,
}

/// A key and for whom it acts.
#[derive(Clone, Debug)]
pub(crate) struct Signer {
    pub(crate) key: SecretKey,
    pub(crate) did: Did,
}

/// An operation that is done.
#[derive(Clone, Copy, Debug, serde::Serialize)]
pub(crate) struct Done {
    pub(crate) id: OperationId,
    pub(crate) height: Height,
}

impl Session {
    pub(crate) fn new(global: &Global, output: &Output) -> anyhow::Result<Self> {
        Ok(Self {
            settings: profile::settings(global)?,
            output: *output,
            key: OnceLock::new(),
        })
    }

    /// The node's client.
    pub(crate) fn client(&self) -> anyhow::Result<Client> {
        let profile = &self.settings.profile;
        let Some(url) = &profile.api_url else {
            return in_test_mode(profile.api_key.clone());
        };
        let config = ClientConfig {
            api_key: profile.api_key.clone(),
            ca_pem: profile.ca_cert.as_deref().map(read_certificates).transpose()?,
            ..ClientConfig::new(url)
        };
        Client::new(config).map_err(|error| match (&profile.ca_cert, error) {
            (Some(path), error @ ClientError::Certificates) => {
                Usage::new(format!("{}: {error}", path.display())).into()
            }
            (_, error) => error.into(),
        })
    }

    /// Who signs.
    pub(crate) fn signer(&self) -> anyhow::Result<Signer> {
        let key = self.key()?;
        let did = self
            .settings
            .profile
            .did
            .unwrap_or_else(|| Did::new(key.public()));
        Ok(Signer { key, did })
    }

    /// The key to sign with.
    fn key(&self) -> anyhow::Result<SecretKey> {
        if let Some(key) = self.key.get() {
            return Ok(key.clone());
        }
        let Some(path) = &self.settings.profile.key_path else {
            return Err(Usage::new(
                "no key to sign with: name a key file with --key or ICN_KEY, or make one with `icn-cli key new`",
            )
            .into());
        };
        let key = unlock::read(path, &self.output)?.key;
        if let Some(mode) = keyfile::exposed_mode(path) {
            let path = path.display();
            self.output.insist(format!(
                "warning: others can read the key {path} (mode {mode:o}): chmod 600 {path}"
            ));
        }
        Ok(self.key.get_or_init(|| key).clone())
    }

    /// For whom this run acts or asks, if it says so: by option, profile or key.
    pub(crate) fn own_did(&self) -> Option<Did> {
        let profile = &self.settings.profile;
        if profile.did.is_some() || profile.key_path.is_none() {
            return profile.did;
        }
        match self.key() {
            Ok(key) => Some(Did::new(key.public())),
            Err(error) => {
                self.output
                    .say(format!("cannot tell whose the key is: {error:#}"));
                None
            }
        }
    }

    /// What the federation's seats are called; nothing where that cannot be told.
    pub(crate) fn names(&self, client: &Client) -> Names {
        gather::seats(client).map_or_else(|_| Names::default(), |members| Names::new(&members))
    }

    /// What `ask` asks of the node about something in the log, which the node may not have heard of yet: what another node
    /// has just said is here a moment later.
    pub(crate) fn once_known<T>(&self, ask: impl Fn() -> Result<T, ClientError>) -> Result<T, ClientError> {
        let started = Instant::now();
        loop {
            match ask() {
                Err(ClientError::Problem(problem))
                    if problem.status == NOT_FOUND && started.elapsed() < HEARSAY =>
                {
                    thread::sleep(HEARSAY_POLL);
                }
                answer => return answer,
            }
        }
    }

    /// The text in a block that the log names; none, with a word of it, if nobody gives it now: it is not part of the log.
    pub(crate) fn words(&self, client: &Client, cid: &Cid) -> Option<String> {
        match client.get_block(cid, false) {
            Ok(bytes) => Some(String::from_utf8_lossy(&bytes).into_owned()),
            Err(error) => {
                self.output
                    .say(format!("the text {cid} cannot be had now: {error}"));
                None
            }
        }
    }

    /// The identity that `text` is, or that is called so.
    pub(crate) fn resolve(&self, client: &Client, text: &str) -> anyhow::Result<Did> {
        if text.starts_with("did:") {
            return text.parse().with_context(|| format!("{text} is not an identity"));
        }
        let members = gather::seats(client)?;
        let missing = || {
            Usage::new(format!(
                "no one cooperative is called {text:?}: `icn-cli federation members` lists them"
            ))
        };
        Ok(Names::new(&members).find(text).ok_or_else(missing)?)
    }

    /// Signs and hands in `action`, and waits until it is done.
    pub(crate) fn submit(&self, client: &Client, action: &Action) -> anyhow::Result<Done> {
        let signer = self.signer()?;
        self.submit_as(client, &signer, action)
    }

    /// The same, with a given key.
    pub(crate) fn submit_as(
        &self,
        client: &Client,
        signer: &Signer,
        action: &Action,
    ) -> anyhow::Result<Done> {
        let progress = Progress::spinner(&self.output, &format!("{}: signing", action.name()));
        let mut races = 0;
        loop {
            let next = client.next_operation(signer.key.public())?;
            let operation = signer.sign(&next, action.clone());
            progress.tell(&format!("{}: waiting for the log", action.name()));
            match settle(client, &operation)? {
                OperationState::Done { height, .. } => {
                    return Ok(Done {
                        id: operation.id(),
                        height,
                    });
                }
                OperationState::Refused { refusal, .. } => {
                    let raced = matches!(refusal.reason, Refusal::SequenceUsed { .. });
                    if !raced || races == MAX_RACES {
                        return Err(Refused(refusal).into());
                    }
                    races += 1;
                }
                OperationState::Waiting {} => anyhow::bail!(
                    "operation {} is handed in, but not final after {} s: are enough seats online (icn-cli status)? \
                     It is done as soon as they are, until it expires; see icn-cli operation {0}",
                    operation.id(),
                    WAIT_ALL.as_secs(),
                ),
            }
        }
    }
}

impl Signer {
    /// An operation by this signer.
    pub(crate) fn sign(&self, next: &NextOperation, action: Action) -> SignedOperation {
        let operation = Operation {
            federation: next.federation,
            author: self.did,
            key: self.key.public(),
            sequence: next.sequence,
            expires: next.time.after(VALIDITY),
            action,
        };
        SignedOperation::sign(operation, &self.key)
    }
}

/// The node in test mode on this machine, which keeps nothing and so leaves no profile.
fn in_test_mode(api_key: Option<String>) -> anyhow::Result<Client> {
    let client = Client::new(ClientConfig {
        api_key: api_key.or_else(|| Some(TEST_MODE_KEY.to_owned())),
        ..ClientConfig::new(DEFAULT_API_URL)
    })?;
    match client.info() {
        Ok(info) if info.test_mode => Ok(client),
        _ => Err(Usage::new(
            "no node is known: run this beside a node's icn_data directory, or say where the node is with --api-url \
             and --api-key, or with a --profile",
        )
        .into()),
    }
}

fn read_certificates(path: &Path) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let read =
        fs::File::open(path).and_then(|file| file.take(MAX_CERTIFICATES_BYTES).read_to_end(&mut bytes));
    read.with_context(|| format!("cannot read the certificates in {} (--ca-cert)", path.display()))?;
    Ok(bytes)
}

/// Hands an operation in and waits for what becomes of it.
fn settle(client: &Client, operation: &SignedOperation) -> anyhow::Result<OperationState> {
    let started = Instant::now();
    let submitted = client.submit(std::slice::from_ref(operation), WAIT_ONCE)?;
    let missing = || anyhow::anyhow!("the node did not say what became of operation {}", operation.id());
    let mut status: OperationStatus = submitted.operations.into_iter().next().ok_or_else(missing)?;
    while !status.state.is_final() && started.elapsed() < WAIT_ALL {
        status = client.operation(&operation.id(), WAIT_ONCE)?;
    }
    Ok(status.state)
}

#[cfg(test)]
mod tests {
    use super::*;
    use icn_model::{Sequence, Time};

    #[test]
    fn what_is_signed_names_its_author_and_expires() {
        let key = SecretKey::from_seed(&[3; 32]);
        let did = Did::new(SecretKey::from_seed(&[4; 32]).public());
        let next = NextOperation {
            federation: Cid::of_raw(b"f"),
            sequence: Sequence::new(5),
            time: Time::new(1_000),
            height: Height::new(2),
        };
        let signed = Signer {
            key: key.clone(),
            did,
        }
        .sign(&next, Action::Leave {});
        assert!(signed.verify().is_ok());
        let operation = signed.operation();
        assert_eq!((operation.author, operation.key), (did, key.public()));
        assert_eq!(operation.expires, Time::new(1_000).after(VALIDITY));
        assert!(VALIDITY <= icn_model::limits::MAX_EXPIRY);
    }
}
