//! Checks of who can use a node's interface: its certificate, its keys, and whether keys travel in the clear.
use super::check::Check;
use crate::format;
use icn_api::node::{AccessStatus, CertificateStatus, ENDS_SOON};
use icn_model::Time;

/// The checks; `url` is where the node was reached, `clock` its clock.
pub(super) fn checks(access: &AccessStatus, url: &str, clock: Time) -> Vec<Check> {
    vec![
        certificate(access.certificate.as_ref(), url, clock),
        keys(access, clock),
    ]
}

pub(super) fn certificate(certificate: Option<&CertificateStatus>, url: &str, clock: Time) -> Check {
    const NAME: &str = "certificate";
    let Some(CertificateStatus {
        names,
        not_after,
        reload_failed,
        ..
    }) = certificate
    else {
        return in_the_clear(NAME, url);
    };
    let finding = format!("{}, valid until {}", names.join(", "), format::time(*not_after));
    if let Some(error) = reload_failed {
        let mend = "mend the files, then kill -HUP the node";
        return Check::warn(
            NAME,
            format!("{finding}; the new one is not in use: {error}"),
            mend,
        );
    }
    let mend = "renew it and write it over tls_cert_path and tls_key_path: the node takes it by itself";
    if *not_after <= clock {
        Check::fail(NAME, finding, mend)
    } else if not_after.since(clock) < ENDS_SOON {
        Check::warn(NAME, finding, mend)
    } else {
        Check::pass(NAME, finding)
    }
}

/// A node without a certificate: well on this machine, behind a proxy with https, and nowhere else.
fn in_the_clear(name: &'static str, url: &str) -> Check {
    let local = ["http://127.", "http://[::1]", "http://localhost"];
    if url.starts_with("https://") {
        Check::pass(name, "the node has none; what stands before it does")
    } else if local.iter().any(|start| url.starts_with(start)) {
        Check::pass(name, "none, and none is needed on this machine")
    } else {
        let mend = "set api.tls_cert_path and api.tls_key_path (docs/operating/access.md)";
        Check::warn(name, "none: API keys travel in the clear", mend)
    }
}

pub(super) fn keys(access: &AccessStatus, clock: Time) -> Check {
    const NAME: &str = "api-keys";
    if !access.require_auth {
        let mend = "take require_auth = false out of the node's configuration";
        return Check::warn(NAME, "callers need no key", mend);
    }
    let finding = format!("{} named keys", access.keys);
    let ends: Vec<_> = access
        .keys_ending
        .iter()
        .map(|key| {
            let verb = if key.expires <= clock { "ended" } else { "ends" };
            format!("{} {verb} {}", key.name, format::time(key.expires))
        })
        .collect();
    if ends.is_empty() {
        return Check::pass(NAME, finding);
    }
    let mend = "icn-cli api-key revoke NAME; icn-cli api-key new NAME --scope SCOPE";
    Check::warn(NAME, format!("{finding}; {}", ends.join(", ")), mend)
}

#[cfg(test)]
mod tests {
    use super::super::check::Verdict;
    use super::*;
    use icn_api::node::KeyEnd;
    use icn_model::Millis;

    const CLOCK: Time = Time::new(1_800_000_000_000);

    fn access() -> AccessStatus {
        AccessStatus {
            require_auth: true,
            certificate: None,
            keys: 1,
            keys_ending: Vec::new(),
        }
    }

    #[test]
    fn a_certificate_is_judged_by_what_is_left_of_it() {
        let of = |not_after, reload_failed: Option<&str>| {
            let certificate = CertificateStatus {
                names: vec!["node.example".into()],
                not_before: Time::ZERO,
                not_after,
                reload_failed: reload_failed.map(str::to_owned),
            };
            super::certificate(Some(&certificate), "https://node.example", CLOCK).verdict
        };
        let later = |days: u64| CLOCK.after(Millis::from_secs(days * 86_400));
        assert_eq!(of(later(90), None), Verdict::Pass);
        assert_eq!(of(later(90), Some("truncated")), Verdict::Warn);
        assert_eq!(of(later(13), None), Verdict::Warn);
        assert_eq!(of(CLOCK, None), Verdict::Fail);
    }

    #[test]
    fn keys_in_the_clear_and_at_their_end_are_told() {
        let verdicts = |access: &AccessStatus, url: &str| {
            let checks = checks(access, url, CLOCK);
            [checks[0].verdict, checks[1].verdict]
        };
        let local = "http://127.0.0.1:7845";
        assert_eq!(verdicts(&access(), local), [Verdict::Pass; 2]);
        assert_eq!(verdicts(&access(), "https://proxy.example"), [Verdict::Pass; 2]);
        assert_eq!(verdicts(&access(), "http://10.0.0.7:7845")[0], Verdict::Warn);
        let mut open = access();
        open.require_auth = false;
        assert_eq!(verdicts(&open, local)[1], Verdict::Warn);
        let mut ending = access();
        ending.keys_ending.push(KeyEnd {
            name: "ci".parse().unwrap(),
            expires: CLOCK,
        });
        let told = &checks(&ending, local, CLOCK)[1];
        assert!(
            told.verdict == Verdict::Warn && told.finding.contains("ci ended"),
            "{told:?}"
        );
    }
}
