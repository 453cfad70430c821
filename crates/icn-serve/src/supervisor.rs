//! What a server tells the service manager that started it (systemd's `Type=notify` and `WatchdogSec=`). Nothing where
//! there is none.
use sd_notify::NotifyState;
use std::time::Duration;

/// The server can be used from now on.
pub fn ready() {
    tell(&[NotifyState::Ready]);
}

/// The server ends in order.
pub fn stopping() {
    tell(&[NotifyState::Stopping]);
}

/// Says for ever that the runtime still turns, as often as the service manager asks for.
pub async fn keep_alive() {
    let Some(limit) = sd_notify::watchdog_enabled() else {
        return;
    };
    // Twice in the time that it waits, so that one late sign does not end a server that is well.
    let pause = (limit / 2).max(Duration::from_millis(10));
    loop {
        tell(&[NotifyState::Watchdog]);
        tokio::time::sleep(pause).await;
    }
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::debug!(%error, "the service manager does not listen");
    }
}
