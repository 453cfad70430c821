//! How much each client may ask: each named key, and each address without a key.
//!
//! The algorithm is GCRA, by `governor`: a client may use a minute's requests at once, and gets them back one by
//! one.
use governor::{
    Quota, RateLimiter,
    clock::{Clock as _, DefaultClock},
    middleware::StateInformationMiddleware,
    state::keyed::HashMapStateStore,
};
use icn_serve::http::apart;
use std::{
    hash::Hash,
    net::{IpAddr, Ipv4Addr},
    num::NonZeroU32,
};

/// Clients that are told apart; when more come within a minute, those without a key share one allowance.
const MAX_CLIENTS: usize = 10_000;
/// Probes a minute of each address, where nothing else is answered without a key.
const PROBES: NonZeroU32 = NonZeroU32::new(600).expect("it is not 0");

/// What all clients may ask.
pub(crate) struct Limits {
    /// None where nothing but probes is answered without a key.
    open: Option<Limiter<IpAddr>>,
    /// Probes, where nothing else is answered without a key.
    probes: Limiter<IpAddr>,
    /// None where keys may ask any number.
    keyed: Option<Limiter<String>>,
}

/// Where a client stands after a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Standing {
    /// Requests a minute.
    pub(crate) limit: u32,
    /// Of these, how many are left now.
    pub(crate) remaining: u32,
    /// Until all are there again, in seconds.
    pub(crate) reset_secs: u64,
}

/// A client may ask nothing more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Limited {
    /// Nothing is answered without a key.
    KeyNeeded,
    /// For so long.
    Wait {
        /// Where it stands.
        standing: Standing,
        /// Until it may ask again, in seconds.
        retry_after_secs: u64,
    },
}

impl Limits {
    /// So many requests a minute without a key (0 for none), and with one (0 for any number).
    pub(crate) fn new(open: u32, keyed: u32) -> Self {
        Self {
            open: NonZeroU32::new(open).map(Limiter::new),
            probes: Limiter::new(PROBES),
            keyed: NonZeroU32::new(keyed).map(Limiter::new),
        }
    }

    /// Counts a request without a key; a probe is answered in any case, if not in any number.
    pub(crate) fn take_open(&self, address: IpAddr, is_probe: bool) -> Result<Standing, Limited> {
        let limiter = match &self.open {
            Some(limiter) => limiter,
            None if is_probe => &self.probes,
            None => return Err(Limited::KeyNeeded),
        };
        let mut client = apart(address);
        if limiter.is_crowded() {
            client = Ipv4Addr::UNSPECIFIED.into();
        }
        limiter.take(&client)
    }

    /// Counts a request with the key called `name`. Nothing to tell where keys are not limited.
    pub(crate) fn take_keyed(&self, name: &str) -> Result<Option<Standing>, Limited> {
        let Some(limiter) = &self.keyed else {
            return Ok(None);
        };
        limiter.take(&name.to_owned()).map(Some)
    }
}

struct Limiter<K: Hash + Eq + Clone> {
    inner: RateLimiter<K, HashMapStateStore<K>, DefaultClock, StateInformationMiddleware>,
    limit: NonZeroU32,
}

impl<K: Hash + Eq + Clone> Limiter<K> {
    fn new(limit: NonZeroU32) -> Self {
        let inner = RateLimiter::hashmap(Quota::per_minute(limit)).with_middleware();
        Self { inner, limit }
    }

    /// Whether no more clients can be told apart, once those are forgotten that have all of theirs again.
    fn is_crowded(&self) -> bool {
        if self.inner.len() >= MAX_CLIENTS {
            self.inner.retain_recent();
        }
        self.inner.len() >= MAX_CLIENTS
    }

    fn take(&self, client: &K) -> Result<Standing, Limited> {
        let limit = self.limit.get();
        let standing = |remaining: u32| Standing {
            limit,
            remaining,
            reset_secs: (u64::from(limit - remaining.min(limit)) * 60).div_ceil(u64::from(limit)),
        };
        match self.inner.check_key(client) {
            Ok(state) => Ok(standing(state.remaining_burst_capacity())),
            Err(until) => {
                let wait = until.wait_time_from(DefaultClock::default().now());
                Err(Limited::Wait {
                    standing: standing(0),
                    retry_after_secs: wait.as_secs() + u64::from(wait.subsec_nanos() > 0),
                })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_gets_a_minutes_requests_and_no_more() {
        let limits = Limits::new(3, 0);
        let (one, other) = (IpAddr::from([192, 0, 2, 1]), IpAddr::from([192, 0, 2, 2]));
        let left: Vec<_> = (0..3)
            .map(|_| limits.take_open(one, false).unwrap().remaining)
            .collect();
        assert_eq!(left, [2, 1, 0]);
        let Err(Limited::Wait {
            standing,
            retry_after_secs,
        }) = limits.take_open(one, false)
        else {
            panic!("a fourth request");
        };
        assert_eq!(
            (standing.limit, standing.remaining, standing.reset_secs),
            (3, 0, 60)
        );
        assert!((1..=20).contains(&retry_after_secs), "{retry_after_secs}");
        assert_eq!(limits.take_open(other, false).unwrap().remaining, 2);
        assert_eq!(limits.take_keyed("any"), Ok(None));
    }

    #[test]
    fn none_may_be_none_and_keys_are_apart() {
        let limits = Limits::new(0, 1);
        assert_eq!(
            limits.take_open(Ipv4Addr::LOCALHOST.into(), false),
            Err(Limited::KeyNeeded)
        );
        assert_eq!(limits.take_keyed("a").unwrap().unwrap().remaining, 0);
        assert!(limits.take_keyed("a").is_err() && limits.take_keyed("b").is_ok());
    }

    #[test]
    fn clients_that_are_told_apart_are_bounded() {
        let limits = Limits::new(2, 0);
        let address = |number: usize| IpAddr::from(u32::try_from(number).unwrap().to_be_bytes());
        for number in 1..=MAX_CLIENTS + 2 {
            limits.take_open(address(number), false).unwrap();
        }
        assert!(
            limits.take_open(address(MAX_CLIENTS + 3), false).is_err(),
            "they share one allowance"
        );
        assert!(limits.open.unwrap().inner.len() <= MAX_CLIENTS + 1);
    }
}
