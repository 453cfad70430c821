//! Resolves `/dns`, `/dns4` and `/dns6` with the system's resolver at each dial, and dials from a fresh port.
//!
//! libp2p's own name transport brings a second resolver and its configuration; one call of the system's
//! serves here. `/dnsaddr` is not supported.
use futures::{FutureExt as _, future::BoxFuture};
use libp2p::{
    Multiaddr, Transport,
    core::transport::{DialOpts, ListenerId, PortUse, TransportError, TransportEvent},
    multiaddr::Protocol,
};
use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
};

/// Addresses of one name that are tried, in the resolver's order.
const MAX_RESOLVED: usize = 4;

/// Which addresses of a name are wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    Any,
    V4,
    V6,
}

/// Transport that resolves names before it dials.
pub(crate) struct Resolving<T> {
    inner: Arc<Mutex<T>>,
}

impl<T> Resolving<T> {
    pub(crate) fn new(inner: T) -> Self {
        Self {
            inner: Arc::new(Mutex::new(inner)),
        }
    }

    fn inner(&self) -> std::sync::MutexGuard<'_, T> {
        // A panic inside the transport leaves a list of listeners, which stays usable.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<T> Transport for Resolving<T>
where
    T: Transport<Error = io::Error> + Send + Unpin + 'static,
    T::Dial: Send + 'static,
    T::Output: Send,
{
    type Output = T::Output;
    type Error = io::Error;
    type ListenerUpgrade = T::ListenerUpgrade;
    type Dial = BoxFuture<'static, Result<T::Output, io::Error>>;

    fn listen_on(&mut self, id: ListenerId, addr: Multiaddr) -> Result<(), TransportError<io::Error>> {
        self.inner().listen_on(id, addr)
    }

    fn remove_listener(&mut self, id: ListenerId) -> bool {
        self.inner().remove_listener(id)
    }

    fn dial(&mut self, addr: Multiaddr, opts: DialOpts) -> Result<Self::Dial, TransportError<io::Error>> {
        // With port reuse, peers that dial each other at once meet in a TCP simultaneous open, where
        // both are initiators of the handshake and it fails. Kademlia would ask for it.
        let opts = DialOpts {
            port_use: PortUse::New,
            ..opts
        };
        let Some((family, host, port)) = name(&addr) else {
            return Ok(self.inner().dial(addr, opts)?.boxed());
        };
        let inner = self.inner.clone();
        Ok(async move {
            let mut last = io::Error::new(io::ErrorKind::NotFound, format!("{host} has no address"));
            for socket in lookup(family, &host, port).await? {
                let addr = Multiaddr::from(socket.ip()).with(Protocol::Tcp(socket.port()));
                let dial = inner
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .dial(addr, opts);
                let dial = dial.map_err(|error| match error {
                    TransportError::Other(error) => error,
                    unsupported => io::Error::new(io::ErrorKind::Unsupported, unsupported.to_string()),
                });
                match dial {
                    Ok(dial) => match dial.await {
                        Ok(output) => return Ok(output),
                        Err(error) => last = error,
                    },
                    Err(error) => last = error,
                }
            }
            Err(last)
        }
        .boxed())
    }

    fn poll(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<TransportEvent<Self::ListenerUpgrade, io::Error>> {
        Pin::new(&mut *self.inner()).poll(cx)
    }
}

/// Name and port of an address that needs a resolver.
fn name(addr: &Multiaddr) -> Option<(Family, String, u16)> {
    let mut parts = addr.iter();
    let (family, host) = match parts.next()? {
        Protocol::Dns(host) => (Family::Any, host),
        Protocol::Dns4(host) => (Family::V4, host),
        Protocol::Dns6(host) => (Family::V6, host),
        _ => return None,
    };
    match parts.next()? {
        Protocol::Tcp(port) => Some((family, host.into_owned(), port)),
        _ => None,
    }
}

async fn lookup(family: Family, host: &str, port: u16) -> io::Result<Vec<SocketAddr>> {
    let found = tokio::net::lookup_host((host, port)).await?;
    let wanted = found.filter(|addr| match family {
        Family::Any => true,
        Family::V4 => addr.is_ipv4(),
        Family::V6 => addr.is_ipv6(),
    });
    Ok(wanted.take(MAX_RESOLVED).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_need_a_resolver() {
        let parse = |text: &str| name(&text.parse().unwrap());
        assert_eq!(parse("/ip4/1.2.3.4/tcp/5"), None);
        assert_eq!(parse("/dns4/a.example/udp/5"), None);
        assert_eq!(
            parse("/dns4/a.example/tcp/5"),
            Some((Family::V4, "a.example".into(), 5))
        );
        assert_eq!(
            parse("/dns/a.example/tcp/5"),
            Some((Family::Any, "a.example".into(), 5))
        );
    }

    #[tokio::test]
    async fn localhost_resolves_to_the_family_asked_for() {
        let found = lookup(Family::V4, "localhost", 7).await.unwrap();
        assert!(found.iter().all(|a| a.is_ipv4() && a.port() == 7) && !found.is_empty());
    }
}
