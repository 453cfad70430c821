//! Provider records: announces ours, stores those of tracked peers, runs searches.
use super::Actor;
use crate::{
    discovery::{MAX_PROVIDED_KEYS, MAX_PROVIDER_KEY_BYTES, MAX_PROVIDERS, MAX_SEARCHES, Request},
    error::DiscoveryError,
    identity,
};
use commonware_cryptography::ed25519::PublicKey;
use libp2p::{
    PeerId,
    kad::{GetProvidersOk, GetProvidersResult, ProviderRecord, QueryId, RecordKey, store::RecordStore as _},
};
use std::{
    collections::{HashMap, HashSet},
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

/// After the first find, how long to wait for more.
const SETTLE: Duration = Duration::from_millis(250);
/// Addresses stored with a provider record.
const MAX_RECORD_ADDRESSES: usize = 8;

type Answer = oneshot::Sender<Result<Vec<PublicKey>, DiscoveryError>>;

struct Search {
    answer: Answer,
    found: Vec<PublicKey>,
    /// When to answer with what was found.
    settle_at: Option<Instant>,
}

/// Own announcements and running searches.
#[derive(Default)]
pub(super) struct Providers {
    provided: HashSet<Vec<u8>>,
    searches: HashMap<QueryId, Search>,
}

impl Search {
    fn answer(self) {
        // The asker may have gone.
        let _ = self.answer.send(Ok(self.found));
    }
}

impl Actor {
    pub(super) fn on_request(&mut self, request: Request) {
        match request {
            Request::Provide(key, reply) => {
                let _ = reply.send(self.provide(key));
            }
            Request::Withdraw(key, reply) => {
                self.providers.provided.remove(&key);
                self.swarm
                    .behaviour_mut()
                    .kad
                    .stop_providing(&RecordKey::from(key));
                let _ = reply.send(());
            }
            Request::FindProviders(_, answer) if self.providers.searches.len() >= MAX_SEARCHES => {
                let _ = answer.send(Err(DiscoveryError::Busy));
            }
            Request::FindProviders(key, answer) => {
                let id = self.swarm.behaviour_mut().kad.get_providers(RecordKey::from(key));
                let search = Search {
                    answer,
                    found: Vec::new(),
                    settle_at: None,
                };
                self.providers.searches.insert(id, search);
            }
        }
    }

    fn provide(&mut self, key: Vec<u8>) -> Result<(), DiscoveryError> {
        let full = DiscoveryError::Full {
            max_keys: MAX_PROVIDED_KEYS,
        };
        let known = self.providers.provided.contains(&key);
        if !known && self.providers.provided.len() >= MAX_PROVIDED_KEYS {
            return Err(full);
        }
        let announced = self
            .swarm
            .behaviour_mut()
            .kad
            .start_providing(RecordKey::from(key.clone()));
        announced.map_err(|_| full)?;
        self.providers.provided.insert(key);
        Ok(())
    }

    /// Somebody announces a block. Records of strangers are not stored: blocks are served by members.
    pub(super) fn on_announcement(&mut self, mut record: ProviderRecord) {
        let sized = record.key.as_ref().len() <= MAX_PROVIDER_KEY_BYTES;
        if !sized || !self.members.contains_key(&record.provider) {
            return;
        }
        record.addresses.truncate(MAX_RECORD_ADDRESSES);
        if let Err(error) = self.swarm.behaviour_mut().kad.store_mut().add_provider(record) {
            tracing::debug!(%error, "provider record not stored");
        }
    }

    pub(super) fn on_providers(&mut self, id: QueryId, result: GetProvidersResult, last: bool) {
        let Some(search) = self.providers.searches.get_mut(&id) else {
            return;
        };
        if let Ok(GetProvidersOk::FoundProviders { providers, .. }) = result {
            search.add(providers, self.swarm.local_peer_id());
        }
        if last || search.found.len() >= MAX_PROVIDERS {
            self.finish_search(&id);
        }
    }

    pub(super) fn settle_searches(&mut self, now: Instant) {
        let settled = |search: &Search| search.settle_at.is_some_and(|at| at <= now);
        let done: Vec<QueryId> = self
            .providers
            .searches
            .iter()
            .filter(|(_, s)| settled(s))
            .map(|(id, _)| *id)
            .collect();
        for id in done {
            self.finish_search(&id);
        }
    }

    fn finish_search(&mut self, id: &QueryId) {
        if let Some(search) = self.providers.searches.remove(id) {
            search.answer();
        }
        if let Some(mut query) = self.swarm.behaviour_mut().kad.query_mut(id) {
            query.finish();
        }
    }
}

impl Search {
    fn add(&mut self, providers: HashSet<PeerId>, me: &PeerId) {
        for peer in providers {
            let key = identity::public_key(&peer).filter(|_| peer != *me);
            let Some(key) = key.filter(|key| !self.found.contains(key)) else {
                continue;
            };
            if self.found.len() < MAX_PROVIDERS {
                self.found.push(key);
            }
        }
        if !self.found.is_empty() {
            self.settle_at.get_or_insert_with(|| Instant::now() + SETTLE);
        }
    }
}
