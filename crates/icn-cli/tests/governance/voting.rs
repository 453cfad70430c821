//! Every method of voting, members beside cooperatives, and delegation.
use crate::{
    harness::{self, Devnet, SEATS},
    propose, reaches, refused, say, vote,
};
use serde_json::{Value, json};

fn text(devnet: &Devnet, title: &str, more: &[&str]) -> String {
    let words = ["text", "--title", title];
    propose(devnet, "bakery", &[&words[..], more, &crate::FINAL].concat())
}

/// Who says what on a proposal; at once.
fn all_say(devnet: &Devnet, id: &str, votes: [&[&str]; 4]) {
    std::thread::scope(|scope| {
        for (voter, words) in SEATS.iter().zip(votes) {
            scope.spawn(move || say(devnet, voter, id, words));
        }
    });
}

fn decision(devnet: &Devnet, id: &str, status: &str) -> Value {
    reaches(devnet, id, status)["record"]["tally"]["decision"].clone()
}

#[test]
fn every_method_is_counted_as_it_should_be() {
    let devnet = Devnet::up();
    let options = ["--option", "rye", "--option", "wheat", "--option", "oats"];
    let choose = |title, method| text(&devnet, title, &[&["--method", method][..], &options].concat());

    let id = text(&devnet, "Yes or no", &[]);
    // Said last, it would come too late: the vote ends with the one that decides.
    say(&devnet, "mill", &id, &["no"]);
    vote(&devnet, &["bakery", "dairy"], &[&id], &["yes"]);
    say(&devnet, "orchard", &id, &["abstain"]);
    assert_eq!(decision(&devnet, &id, "executed"), json!({"passed": {}}));

    let id = text(&devnet, "Consent", &["--method", "consent"]);
    all_say(&devnet, &id, [&["yes"], &["abstain"], &["yes"], &["yes"]]);
    assert_eq!(decision(&devnet, &id, "executed"), json!({"passed": {}}));
    let id = text(&devnet, "No consent", &["--method", "consent"]);
    vote(&devnet, &["bakery", "dairy"], &[&id], &["yes"]);
    say(&devnet, "mill", &id, &["object", "--reason", "it rains"]);
    assert_eq!(
        decision(&devnet, &id, "rejected"),
        json!({"objected": {"objections": 1}})
    );

    let id = choose("Approval", "approval");
    let votes: [&[&str]; 4] = [
        &["approve", "rye", "wheat"],
        &["approve", "2"],
        &["approve", "oats"],
        &["approve", "wheat", "oats"],
    ];
    all_say(&devnet, &id, votes);
    assert_eq!(
        decision(&devnet, &id, "executed"),
        json!({"chosen": {"option": 1}})
    );

    // Rye leads and has no majority; oats are out first, and their votes go to wheat.
    let id = choose("Ranked", "ranked");
    let votes: [&[&str]; 4] = [
        &["rank", "wheat"],
        &["rank", "oats", "wheat"],
        &["rank", "wheat", "rye"],
        &["rank", "rye"],
    ];
    all_say(&devnet, &id, votes);
    assert_eq!(
        decision(&devnet, &id, "executed"),
        json!({"chosen": {"option": 1}})
    );

    let id = choose("Score", "score");
    let votes: [&[&str]; 4] = [
        &["score", "rye=10", "oats=6"],
        &["score", "oats=7"],
        &["score", "wheat=3", "rye=1"],
        &["abstain"],
    ];
    all_say(&devnet, &id, votes);
    assert_eq!(
        decision(&devnet, &id, "executed"),
        json!({"chosen": {"option": 2}})
    );
    let tie = choose("Tie", "score");
    let votes: [&[&str]; 4] = [
        &["score", "rye=5"],
        &["score", "oats=5"],
        &["abstain"],
        &["abstain"],
    ];
    all_say(&devnet, &tie, votes);
    assert_eq!(
        decision(&devnet, &tie, "rejected"),
        json!({"tied": {"options": [0, 2]}})
    );
    let shown = harness::run(&["--profile", &devnet.profile("dairy"), "proposal", "show", &tie]);
    let shown = String::from_utf8(shown.stdout).unwrap();
    assert!(
        shown.contains("a tie of rye, oats") && shown.contains("# Tie"),
        "{shown}"
    );
}

#[test]
fn members_vote_with_their_own_keys_and_let_others_vote() {
    let devnet = Devnet::up();
    let members = ["ann", "bob", "cat"].map(|name| Member::new(&devnet, name));
    let [ann, bob, cat] = &members;
    for member in &members {
        devnet.ask("bakery", &["federation", "add-member", &member.did]);
    }
    // Ann through Bob through Cat; that Cat lets Ann vote would close the circle.
    ann.ask(&devnet, &["delegate", "to", &bob.did]);
    bob.ask(&devnet, &["delegate", "to", &cat.did, "--topic", "bread"]);
    ann.refused(&devnet, &["delegate", "to", &ann.did], 712);
    ann.refused(&devnet, &["delegate", "to", &devnet_did(&devnet, "dairy")], 714);
    ann.ask(
        &devnet,
        &["delegate", "to", &cat.did, "--topic", "milk", "--for", "1s"],
    );
    bob.refused(&devnet, &["delegate", "end"], 715);
    let listed = ann.ask(&devnet, &["delegate", "ls"]);
    assert!(
        listed["items"]
            .as_array()
            .unwrap()
            .iter()
            .any(|one| one["to"] == bob.did.as_str())
    );

    // A chain of three cooperatives.
    devnet.ask("orchard", &["delegate", "to", "mill"]);
    devnet.ask("mill", &["delegate", "to", "dairy"]);
    refused(&devnet, "dairy", &["delegate", "to", "orchard"], 713);

    let on = |topic: &str, title: &str| {
        let words = [
            "text",
            "--title",
            title,
            "--electorate",
            "both",
            "--topic",
            topic,
            "--closes-in",
            "20s",
        ];
        propose(&devnet, "bakery", &words)
    };
    let (bread, milk) = (on("bread", "Bread"), on("milk", "Milk"));
    vote(&devnet, &["dairy"], &[&bread, &milk], &["yes"]);
    cat.ask(&devnet, &["vote", &bread, "yes"]);
    cat.ask(&devnet, &["vote", &milk, "yes"]);
    // Who votes needs nobody to vote for it.
    vote(&devnet, &["mill"], &[&milk], &["no"]);
    say(&devnet, "orchard", &bread, &["abstain"]);
    say(&devnet, "orchard", &bread, &["no"]);

    let view = reaches(&devnet, &bread, "executed");
    let through = through(&view);
    assert_eq!(through(&ann.did), json!([bob.did, cat.did]), "{view}");
    assert_eq!(through(&bob.did), json!([cat.did]));
    assert_eq!(
        through(&devnet_did(&devnet, "mill")),
        json!([devnet_did(&devnet, "dairy")])
    );
    assert_eq!(through(&devnet_did(&devnet, "orchard")), Value::Null);
    let tally = &view["record"]["tally"];
    assert_eq!(
        tally["cooperatives"]["counts"]["yes-no"],
        json!({"yes": 2, "no": 1})
    );
    assert_eq!(
        (&tally["members"]["turnout"], &tally["members"]["delegated"]),
        (&3.into(), &2.into())
    );

    // On milk Bob lets nobody vote, and what Ann said about it has ended: she falls back on Bob, and so on nobody.
    let view = reaches(&devnet, &milk, "rejected");
    assert_eq!(view["record"]["tally"]["members"]["turnout"], 1);
    // Orchard counts through mill, which voted itself.
    assert_eq!(
        self::through(&view)(&devnet_did(&devnet, "orchard")),
        json!([devnet_did(&devnet, "mill")])
    );
    assert_eq!(
        view["record"]["tally"]["cooperatives"]["counts"]["yes-no"],
        json!({"yes": 1, "no": 2})
    );
    bob.ask(&devnet, &["delegate", "end", "--topic", "bread"]);
    assert_eq!(bob.ask(&devnet, &["delegate", "ls"])["items"], json!([]));
    crate::bundle::holds_and_shows_changes(&devnet, &bread);

    // Who became a member after it opened is not on its roll.
    let late = text(&devnet, "Late", &["--electorate", "members"]);
    let dan = Member::new(&devnet, "dan");
    devnet.ask("bakery", &["federation", "add-member", &dan.did]);
    dan.refused(&devnet, &["vote", &late, "yes"], 707);
    reaches(&devnet, &late, "open");
}

/// Through whom somebody counts.
fn through(view: &Value) -> impl Fn(&str) -> Value {
    let delegated = view["delegated"].as_array().unwrap().clone();
    move |did| {
        let found = delegated.iter().find(|one| one["voter"] == did);
        found.map_or(Value::Null, |one| one["record"]["through"].clone())
    }
}

fn devnet_did(devnet: &Devnet, name: &str) -> String {
    devnet.node(name)["did"].as_str().unwrap().to_owned()
}

/// A member of the bakery with a key of its own.
struct Member {
    key: String,
    did: String,
}

impl Member {
    fn new(devnet: &Devnet, name: &str) -> Self {
        let key = devnet
            .dir
            .path()
            .join(format!("{name}.pem"))
            .to_str()
            .unwrap()
            .to_owned();
        let made = harness::run(&["--json", "key", "new", &key]);
        let made: Value = serde_json::from_slice(&made.stdout).unwrap();
        let did = made["did"]
            .as_str()
            .unwrap_or_else(|| panic!("{made}"))
            .to_owned();
        Self { key, did }
    }

    fn ask(&self, devnet: &Devnet, args: &[&str]) -> Value {
        devnet.ask("bakery", &[&["--key", &self.key][..], args].concat())
    }

    fn refused(&self, devnet: &Devnet, args: &[&str], code: u16) {
        refused(
            devnet,
            "bakery",
            &[&["--key", &self.key][..], args].concat(),
            code,
        );
    }
}
