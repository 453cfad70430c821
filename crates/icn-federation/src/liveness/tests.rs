use super::*;

const THRESHOLD: u64 = 90_000;

fn at(seconds: u64) -> Time {
    Time::new(1_000_000_000 + seconds * 1_000)
}

/// A project and the service that listens to it.
struct Scene {
    standing: Standing,
    heard: Option<Heard>,
    paused: bool,
    hearing: Hearing,
    many_silent: bool,
}

impl Scene {
    fn new() -> Self {
        Self {
            standing: Standing {
                status: Status::New,
                cause: Cause::Registered,
                since: at(0),
            },
            heard: None,
            paused: false,
            hearing: Hearing::Since(at(0)),
            many_silent: false,
        }
    }

    fn hears(&mut self, seconds: u64, said: SelfStatus) -> (Status, Cause) {
        self.heard = Some(Heard {
            at: at(seconds),
            said,
        });
        self.at(seconds)
    }

    fn at(&mut self, seconds: u64) -> (Status, Cause) {
        self.look(seconds).0
    }

    fn look(&mut self, seconds: u64) -> ((Status, Cause), Option<Time>) {
        let circumstances = Circumstances {
            now: at(seconds),
            rules: Rules {
                threshold: Millis::new(THRESHOLD),
            },
            hearing: self.hearing,
            many_silent: self.many_silent,
        };
        let (standing, next) = judge(self.standing, self.heard, self.paused, &circumstances);
        self.standing = standing;
        ((standing.status, standing.cause), next)
    }
}

#[test]
fn silence_makes_late_and_then_offline_and_a_heartbeat_online() {
    let mut scene = Scene::new();
    assert_eq!(scene.look(500), ((Status::New, Cause::Registered), None));
    assert_eq!(
        scene.hears(1_000, SelfStatus::Online),
        (Status::Online, Cause::Heartbeat)
    );
    assert_eq!(
        scene.look(1_059),
        ((Status::Online, Cause::Heartbeat), Some(at(1_060)))
    );
    assert_eq!(
        scene.look(1_060),
        ((Status::Late, Cause::Overdue), Some(at(1_090)))
    );
    assert_eq!(scene.look(1_090), ((Status::Offline, Cause::Silent), None));
    assert_eq!(scene.standing.since, at(1_090));
    assert_eq!(scene.at(9_000).0, Status::Offline);
    assert_eq!(scene.standing.since, at(1_090));
    assert_eq!(scene.hears(9_001, SelfStatus::Online).0, Status::Online);
    assert_eq!(scene.standing.since, at(9_001));
}

#[test]
fn projects_say_how_they_are() {
    let mut scene = Scene::new();
    let degraded = (Status::Degraded, Cause::SaysDegraded);
    assert_eq!(scene.hears(1_000, SelfStatus::Degraded), degraded);
    // One that is not well is not only late.
    assert_eq!(scene.at(1_080), degraded);
    assert_eq!(scene.at(1_090), (Status::Offline, Cause::Silent));
    assert_eq!(
        scene.hears(1_100, SelfStatus::Offline),
        (Status::Offline, Cause::SaysOffline)
    );
    assert_eq!(scene.at(5_000), (Status::Offline, Cause::SaysOffline));
    assert_eq!(scene.hears(5_001, SelfStatus::Online).0, Status::Online);
    scene.paused = true;
    assert_eq!(scene.look(9_000), ((Status::Paused, Cause::Paused), None));
    scene.paused = false;
    assert_eq!(scene.at(9_001), (Status::Offline, Cause::Silent));
}

#[test]
fn a_service_that_could_not_hear_does_not_say_offline() {
    let mut scene = Scene::new();
    scene.hears(1_000, SelfStatus::Online);
    scene.hearing = Hearing::Deaf;
    // Not late: the heartbeats may have gone into the void.
    assert_eq!(
        scene.look(1_070),
        ((Status::Online, Cause::Heartbeat), Some(at(1_090)))
    );
    assert_eq!(scene.look(1_090), ((Status::Unknown, Cause::NotWatching), None));
    assert_eq!(scene.at(5_000).0, Status::Unknown);
    scene.hearing = Hearing::Since(at(5_000));
    assert_eq!(
        scene.look(5_001),
        ((Status::Unknown, Cause::NotWatching), Some(at(5_090)))
    );
    assert_eq!(scene.at(5_090), (Status::Offline, Cause::Silent));
}

#[test]
fn one_that_was_offline_before_stays_so_while_nobody_listens() {
    let mut scene = Scene::new();
    scene.hears(1_000, SelfStatus::Online);
    assert_eq!(scene.at(2_000).0, Status::Offline);
    scene.hearing = Hearing::Deaf;
    assert_eq!(scene.at(3_000).0, Status::Offline);
    scene.hearing = Hearing::Since(at(3_500));
    assert_eq!(scene.at(3_501).0, Status::Offline);
}

#[test]
fn a_short_deafness_counts_from_when_hearing_came_back() {
    let mut scene = Scene::new();
    scene.hears(1_000, SelfStatus::Online);
    scene.hearing = Hearing::Since(at(1_050));
    assert_eq!(scene.at(1_089).0, Status::Late);
    assert_eq!(
        scene.look(1_090),
        ((Status::Unknown, Cause::NotWatching), Some(at(1_140)))
    );
    assert_eq!(scene.at(1_140).0, Status::Offline);
}

#[test]
fn what_falls_silent_with_most_others_is_unknown_for_one_more_threshold() {
    let mut scene = Scene::new();
    scene.hears(1_000, SelfStatus::Online);
    scene.many_silent = true;
    assert_eq!(
        scene.look(1_090),
        ((Status::Unknown, Cause::ManyAtOnce), Some(at(1_180)))
    );
    scene.many_silent = false;
    assert_eq!(scene.at(1_179).0, Status::Unknown);
    assert_eq!(scene.at(1_180), (Status::Offline, Cause::Silent));
}

#[test]
fn names_come_back() {
    for status in Status::ALL {
        assert_eq!(status.name().parse(), Ok(status));
        assert_eq!(serde_json::to_value(status).unwrap(), status.name());
    }
    assert!("up".parse::<Status>().is_err());
    assert_eq!("many-at-once".parse(), Ok(Cause::ManyAtOnce));
    assert_eq!(
        serde_json::to_value(Cause::SaysDegraded).unwrap(),
        "says-degraded"
    );
}
