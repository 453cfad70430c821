//! Heartbeats on their way in: what is wrong with one, and what a good one changes.
use crate::{
    catalog::{Project, Sent},
    core::Core,
    dropped::Dropped,
    moment::Moment,
};
use ed25519_dalek::VerifyingKey;
use icn_api::presence::{Heartbeat, MAX_HEARTBEAT_BYTES, SUBJECT_PREFIX};
use icn_model::Time;
use std::sync::Arc;

/// The slug in a subject.
///
/// # Errors
/// If it is none of a heartbeat.
pub(crate) fn slug_of(subject: &str) -> Result<&str, Dropped> {
    subject.strip_prefix(SUBJECT_PREFIX).ok_or(Dropped::Subject)
}

/// Takes in a heartbeat that was sent for `slug` and arrived at `at`.
///
/// # Errors
/// Why it does not count; nothing has changed then but the count of such.
pub(crate) fn hear(core: &Core, slug: &str, bytes: &[u8], at: Time) -> Result<Arc<Project>, Dropped> {
    let heard = read(core, slug, bytes).and_then(|(project, beat)| {
        take(core, &project, beat, at)?;
        Ok(project)
    });
    match &heard {
        Ok(_) => {
            core.metrics.heartbeats.inc();
        }
        Err(reason) => core.metrics.dropped(*reason),
    }
    heard
}

fn read(core: &Core, slug: &str, bytes: &[u8]) -> Result<(Arc<Project>, Heartbeat), Dropped> {
    if bytes.len() > MAX_HEARTBEAT_BYTES {
        return Err(Dropped::TooLarge);
    }
    // Before its content is looked at: of whom nobody knows, nothing has to be read.
    let project = core.registry.get(slug).ok_or(Dropped::Unknown)?;
    let beat: Heartbeat = serde_json::from_slice(bytes).map_err(|_| Dropped::Malformed)?;
    if beat.project_slug.as_str() != slug {
        return Err(Dropped::Mismatch);
    }
    if let Some(key) = project.entry().public_key {
        verify(key.as_bytes(), &beat).ok_or(Dropped::Unsigned)?;
    }
    Ok((project, beat))
}

/// Whether a heartbeat is signed, and can be told from every other one.
fn verify(key: &[u8; 32], beat: &Heartbeat) -> Option<()> {
    beat.boot_id.as_ref().and(beat.sequence)?;
    let key = VerifyingKey::from_bytes(key).ok()?;
    let signature = ed25519_dalek::Signature::from_bytes(beat.signature.as_ref()?.as_bytes());
    key.verify_strict(beat.signed_text().as_bytes(), &signature).ok()
}

fn take(core: &Core, project: &Arc<Project>, beat: Heartbeat, at: Time) -> Result<(), Dropped> {
    let sent = Sent {
        at: beat
            .timestamp
            .as_deref()
            .and_then(Moment::parse)
            .map(|moment| moment.0),
        boot: beat.boot_id,
        sequence: beat.sequence,
    };
    let mut vital = project.vital();
    vital
        .hear(at, beat.status, sent, beat.details)
        .map_err(|_| Dropped::Replayed)?;
    let is_new = !std::mem::replace(&mut vital.is_dirty, true);
    let is_to_be_judged = vital.is_to_be_judged();
    drop(vital);
    core.registry.touch();
    if is_new {
        core.dirty(project.clone());
    }
    if is_to_be_judged {
        core.touch(project.clone());
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        catalog::{Draft, Owner, Record},
        clock::Clock,
        liveness::{Cause, Rules, Standing, Status},
    };
    use icn_model::{Millis, SecretKey, Signature};
    use serde_json::{Value, json};

    fn core(public_key: Option<String>) -> Arc<Core> {
        let rules = Rules {
            threshold: Millis::from_secs(90),
        };
        let core = Core::new(Clock::default(), rules, true);
        let draft = Draft {
            project_slug: "alpha".into(),
            name: "Alpha".into(),
            hub_url: "http://localhost:1".into(),
            public_key,
            ..Draft::default()
        };
        core.registry.take(Record {
            id: 1,
            entry: draft.check().unwrap(),
            owner: Owner::Api,
            paused: false,
            created: Time::new(1),
            updated: Time::new(1),
            is_removed: false,
            revision: 1,
            standing: Standing {
                status: Status::New,
                cause: Cause::Registered,
                since: Time::new(1),
            },
        });
        core
    }

    fn sent(core: &Core, slug: &str, beat: &Value) -> Result<(), Dropped> {
        hear(core, slug, beat.to_string().as_bytes(), core.clock.now()).map(drop)
    }

    #[test]
    fn only_what_a_project_says_of_itself_counts() {
        let core = core(None);
        let good = json!({"project_slug": "alpha", "status": "online"});
        assert_eq!(sent(&core, "alpha", &good), Ok(()));
        let beats = [
            ("beta", good.clone(), Dropped::Unknown),
            (
                "alpha",
                json!({"project_slug": "beta", "status": "online"}),
                Dropped::Mismatch,
            ),
            ("alpha", json!({"test": true}), Dropped::Malformed),
            ("alpha", json!([good]), Dropped::Malformed),
            ("alpha", json!("x".repeat(MAX_HEARTBEAT_BYTES)), Dropped::TooLarge),
        ];
        for (slug, beat, reason) in beats {
            assert_eq!(sent(&core, slug, &beat), Err(reason));
        }
        for bytes in [
            &b"\xff\xfe"[..],
            b"",
            b"{",
            b"{\"project_slug\":\"alpha\",\"status\":\"\xff\"}",
        ] {
            let heard = hear(&core, "alpha", bytes, Time::new(9));
            assert_eq!(heard.map(drop), Err(Dropped::Malformed));
        }
        assert_eq!(slug_of("hub.presence.alpha"), Ok("alpha"));
        assert_eq!(slug_of("hub.alpha"), Err(Dropped::Subject));
        assert_eq!(core.waiting().0, 1);
    }

    #[test]
    fn a_heartbeat_from_the_future_counts_from_when_it_arrived() {
        let core = core(None);
        let future =
            json!({"project_slug": "alpha", "status": "online", "timestamp": "2999-01-01T00:00:00Z"});
        sent(&core, "alpha", &future).unwrap();
        let project = core.registry.get("alpha").unwrap();
        let vital = project.vital();
        assert!(vital.heard.unwrap().at <= core.clock.now());
        assert!(vital.skew_ms().unwrap() > 0);
    }

    #[test]
    fn what_was_said_before_does_not_count_again() {
        let core = core(None);
        let beat = |sequence| json!({"project_slug": "alpha", "status": "online", "boot_id": "a", "sequence": sequence});
        assert_eq!(sent(&core, "alpha", &beat(2)), Ok(()));
        assert_eq!(sent(&core, "alpha", &beat(2)), Err(Dropped::Replayed));
        assert_eq!(sent(&core, "alpha", &beat(1)), Err(Dropped::Replayed));
        assert_eq!(sent(&core, "alpha", &beat(3)), Ok(()));
    }

    #[test]
    fn a_project_with_a_key_signs() {
        use ed25519_dalek::Signer as _;
        let secret = SecretKey::from_seed(&[7; 32]);
        let signer = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        let core = core(Some(secret.public().to_string()));
        let mut beat: Heartbeat = serde_json::from_value(json!({
            "project_slug": "alpha", "status": "online", "boot_id": "a", "sequence": 1
        }))
        .unwrap();
        let send = |beat: &Heartbeat| sent(&core, "alpha", &serde_json::to_value(beat).unwrap());
        assert_eq!(send(&beat), Err(Dropped::Unsigned));
        let signature = signer.sign(beat.signed_text().as_bytes());
        beat.signature = Some(Signature::new(signature.to_bytes()));
        assert_eq!(send(&beat), Ok(()));
        beat.sequence = Some(2);
        assert_eq!(send(&beat), Err(Dropped::Unsigned));
        beat.sequence = None;
        assert_eq!(send(&beat), Err(Dropped::Unsigned));
    }
}
