//! Calls of those who want to know: each is told every change in order, signed, and again until it has answered.
//!
//! The form is that of standardwebhooks.com: `webhook-id`, `webhook-timestamp` and `webhook-signature` over both and the
//! body.
mod address;

pub(crate) use address::is_public;

use crate::{
    core::Core,
    nats::Told,
    store::{Item, Store, Webhook},
};
use address::PublicOnly;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use hmac::{Hmac, KeyInit as _, Mac as _};
use icn_model::{Millis, Time};
use sha2::Sha256;
use std::{
    collections::HashMap,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::{
    sync::watch,
    task::{self, JoinSet},
};
use ureq::unversioned::transport::DefaultConnector;

/// How long a hook may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Pause after the first failure; it doubles with each further one.
const FIRST_PAUSE: Duration = Duration::from_secs(1);
/// Longest pause between two tries.
const MAX_PAUSE: Duration = Duration::from_secs(300);
/// What could not be told for this long is given up.
const GIVE_UP: Millis = Millis::from_secs(24 * 3_600);
/// How often is looked for what is to be told.
const TICK: Duration = Duration::from_secs(1);
/// Changes that one hook is told in one turn.
const AT_ONCE: i64 = 100;

/// When a hook that failed is tried again.
#[derive(Clone, Copy)]
struct Retry {
    failures: u32,
    at: Instant,
}

/// Calls hooks for as long as it is run. Each has a turn of its own: one that takes its time holds up no other.
pub(crate) async fn call(core: Arc<Core>, store: Store, allow_private: bool, mut more: watch::Receiver<i64>) {
    let agent = agent(allow_private);
    let mut retries = HashMap::<i64, Retry>::new();
    let (mut turns, mut whose) = (JoinSet::new(), HashMap::<task::Id, i64>::new());
    core.loaded().await;
    loop {
        while let Some(ended) = turns.try_join_next_with_id() {
            let (turn, went_well) = ended.unwrap_or_else(|error| (error.id(), false));
            let Some(id) = whose.remove(&turn) else { continue };
            if went_well {
                retries.remove(&id);
            } else {
                let failures = retries.get(&id).map_or(0, |retry| retry.failures);
                let retry = Retry {
                    failures: failures + 1,
                    at: Instant::now() + pause(failures),
                };
                retries.insert(id, retry);
            }
        }
        if core.is_keeper()
            && core.ears.database()
            && let Ok(hooks) = store.webhooks().await
        {
            retries.retain(|id, _| hooks.iter().any(|hook| hook.id == *id));
            for hook in hooks {
                let id = hook.id;
                let waits = retries.get(&id).is_some_and(|retry| retry.at > Instant::now());
                if waits || whose.values().any(|called| *called == id) {
                    continue;
                }
                let (core, store, agent) = (core.clone(), store.clone(), agent.clone());
                let turn = turns.spawn(async move { turn(&core, &store, &agent, hook).await });
                whose.insert(turn.id(), id);
            }
        }
        // Fails when the sender is gone: the service ends, and with it this task.
        let _ = tokio::time::timeout(TICK, more.changed()).await;
    }
}

/// How long a hook is left alone after `failures` failures before the last one: between half of the pause and all of it, by
/// chance, so that those that failed together are not called together again.
fn pause(failures: u32) -> Duration {
    let whole = MAX_PAUSE.min(FIRST_PAUSE * 2_u32.pow(failures.min(16)));
    // Without chance it is all of the pause.
    let chance = getrandom::u32().unwrap_or(0);
    whole.mul_f64(1.0 - f64::from(chance) / f64::from(u32::MAX) / 2.0)
}

/// Tells one hook what it has not been told. Whether all went well.
async fn turn(core: &Core, store: &Store, agent: &ureq::Agent, hook: Webhook) -> bool {
    let Ok(news) = store.news_after(hook.told, AT_ONCE).await else {
        return false;
    };
    for item in news {
        let now = core.clock.now();
        let (hook, agent, told) = (hook.clone(), agent.clone(), item.clone());
        let (id, number) = (hook.id, item.id);
        let called = task::spawn_blocking(move || deliver(&agent, &hook, &told, now)).await;
        let failed = match called {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(_) => Some("the call panicked".to_owned()),
        };
        let is_old = now.since(item.at) > GIVE_UP;
        let marked = match &failed {
            None => {
                core.metrics.delivered.inc();
                store.mark_webhook(id, number, None, false).await
            }
            Some(reason) => {
                core.metrics.undelivered.inc();
                tracing::warn!(hook = id, reason, "a webhook was not delivered");
                let told = if is_old { number } else { number - 1 };
                store.mark_webhook(id, told, Some(reason), is_old).await
            }
        };
        if marked.is_err() || (failed.is_some() && !is_old) {
            return false;
        }
    }
    true
}

fn agent(allow_private: bool) -> ureq::Agent {
    let config = ureq::Agent::config_builder()
        .timeout_global(Some(TIMEOUT))
        // A hook that has moved is to be registered where it is.
        .max_redirects(0)
        .user_agent("icn-federation")
        .build();
    if allow_private {
        return config.into();
    }
    ureq::Agent::with_parts(config, DefaultConnector::default(), PublicOnly::default())
}

fn deliver(agent: &ureq::Agent, hook: &Webhook, item: &Item, now: Time) -> Result<(), ureq::Error> {
    let body = serde_json::to_string(&Told::from(item)).unwrap_or_default();
    let (id, seconds) = (item.id.to_string(), (now.get() / 1_000).to_string());
    let signature = signature(&hook.secret, &id, &seconds, &body);
    agent
        .post(&hook.url)
        .header("content-type", "application/json")
        .header("webhook-id", &id)
        .header("webhook-timestamp", &seconds)
        .header("webhook-signature", signature)
        .send(body)
        .map(drop)
}

/// What a call is signed with: `v1,` and the HMAC-SHA256 of id, time and body under the hook's secret, in base64.
fn signature(secret: &str, id: &str, seconds: &str, body: &str) -> String {
    // HMAC takes keys of any length.
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else {
        return String::new();
    };
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_and_end_growing() {
        for (failures, whole) in [(0, 1), (1, 2), (5, 32), (8, 256), (9, 300), (u32::MAX, 300)] {
            let whole = Duration::from_secs(whole);
            for _ in 0..20 {
                let pause = pause(failures);
                assert!((whole / 2..=whole).contains(&pause), "{failures}: {pause:?}");
            }
        }
    }

    #[test]
    fn calls_are_signed_as_the_standard_says() {
        // Computed with another implementation: HMAC-SHA256 of `7.1614265330.{}` under `secret`.
        assert_eq!(
            signature("secret", "7", "1614265330", "{}"),
            "v1,vdMvcuMdSxyVYAX34WBcHF/KLKkkO7QtYBHQkS5B93w="
        );
    }
}
