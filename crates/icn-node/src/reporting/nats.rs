//! Heartbeats over NATS. Once it stands, the library mends the connection by itself.
use async_nats::{Client, ConnectOptions, Event, ServerAddr, connection::State};
use icn_serve::config::without_password;
use percent_encoding::percent_decode_str;
use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

/// Until when a connection must stand, and a heartbeat must be on its way.
const TIMEOUT: Duration = Duration::from_secs(5);

/// With what the servers let a client in.
#[derive(Clone)]
enum Pass {
    Open,
    Token(String),
    User(String, String),
}

/// The servers, and the connection with one of them, once it stands.
pub(super) struct Nats {
    servers: Vec<ServerAddr>,
    pass: Pass,
    place: String,
    client: Option<Client>,
    /// What a server has said against the last heartbeat.
    refused: Arc<Mutex<Option<String>>>,
}

impl Nats {
    /// Servers by their URLs, with commas between them; the first one says as whom to come.
    ///
    /// # Errors
    /// If one is no URL of a NATS server.
    pub(super) fn new(urls: &str) -> Result<Self, String> {
        let mut servers = Vec::new();
        for url in urls.split(',').map(str::trim) {
            let server: ServerAddr = url.parse().map_err(|_| "expected nats://HOST:PORT".to_owned())?;
            if server.is_websocket() || server.host().is_empty() {
                return Err("expected nats://HOST:PORT or tls://HOST:PORT".into());
            }
            servers.push(server);
        }
        // The library takes addresses alone from a URL.
        let pass = servers.first().map_or(Pass::Open, pass);
        Ok(Self {
            servers,
            pass,
            place: without_password(urls),
            client: None,
            refused: Arc::default(),
        })
    }

    /// Where reports go.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Sends one message. That a server has refused one is known when the next is sent.
    ///
    /// # Errors
    /// Why it is not on its way.
    pub(super) async fn publish(&mut self, subject: String, payload: Vec<u8>) -> Result<(), String> {
        let send = async {
            let client = self.connected().await?;
            client
                .publish(subject, payload.into())
                .await
                .map_err(|error| error.to_string())?;
            client.flush().await.map_err(|error| error.to_string())
        };
        match tokio::time::timeout(TIMEOUT, send).await {
            Ok(sent) => sent?,
            Err(_) => return Err(format!("nothing could be sent within {} s", TIMEOUT.as_secs())),
        }
        let refused = self.refused.lock().unwrap_or_else(PoisonError::into_inner).take();
        refused.map_or(Ok(()), Err)
    }

    async fn connected(&mut self) -> Result<Client, String> {
        if let Some(client) = &self.client {
            // What is sent meanwhile would wait, and arrive when it is no longer true.
            return match client.connection_state() {
                State::Connected => Ok(client.clone()),
                _ => Err("the connection with NATS is lost".into()),
            };
        }
        let client = self
            .options()
            .connect(self.servers.as_slice())
            .await
            .map_err(|error| format!("no connection with NATS: {error}"))?;
        Ok(self.client.insert(client).clone())
    }

    fn options(&self) -> ConnectOptions {
        let refused = self.refused.clone();
        let options = ConnectOptions::new()
            .name("icn-node")
            .connection_timeout(TIMEOUT)
            .event_callback(move |event| {
                if let Event::ServerError(error) = &event {
                    *refused.lock().unwrap_or_else(PoisonError::into_inner) = Some(error.to_string());
                }
                async {}
            });
        match self.pass.clone() {
            Pass::Open => options,
            Pass::Token(token) => options.token(token),
            Pass::User(user, password) => options.user_and_password(user, password),
        }
    }
}

/// What a URL holds before its host: a user with a password, or a token.
fn pass(server: &ServerAddr) -> Pass {
    let plain = |text: &str| percent_decode_str(text).decode_utf8_lossy().into_owned();
    match (server.username(), server.password()) {
        (Some(user), Some(password)) => Pass::User(plain(user), plain(password)),
        (Some(token), None) => Pass::Token(plain(token)),
        (None, _) => Pass::Open,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn urls_say_where_and_as_whom() {
        let pass = |urls: &str| Nats::new(urls).map(|nats| nats.pass);
        assert!(matches!(pass("nats://localhost:4223"), Ok(Pass::Open)));
        assert!(matches!(pass("nats://s3cret@a,b"), Ok(Pass::Token(token)) if token == "s3cret"));
        assert!(
            matches!(pass("tls://u:p%40ss@a"), Ok(Pass::User(user, word)) if user == "u" && word == "p@ss")
        );
        for bad in ["http://a", "ws://a", "", "nats://"] {
            assert!(pass(bad).is_err(), "{bad:?}");
        }
        let place = Nats::new("nats://u:word@a:1,nats://token@b")
            .unwrap()
            .place()
            .to_owned();
        assert!(!place.contains("word") && !place.contains("token"), "{place}");
    }
}
